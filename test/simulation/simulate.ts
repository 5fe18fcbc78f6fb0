/** `npm run simulate`: many runs, each from its seed; a failing one is made shorter and printed. */
import { parseArgs } from 'node:util'
import { planOf } from './plan.ts'
import { World } from './world.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '1' },
    hours: { type: 'string', default: '3' },
    verbose: { type: 'boolean', default: false },
  },
})
const began = performance.now()
let simulated = 0
let last = ''
for (let run = 0; run < Number(values.runs); run += 1) {
  const seed = Number(values.seed) + run
  const world = new World(planOf(seed, Number(values.hours)), { keep: true })
  const result = await world.run()
  simulated += result.ms
  last = result.sha256
  if (values.verbose) for (const line of result.timeline) process.stdout.write(`${line}\n`)
  if (result.breaches.length > 0) {
    process.stdout.write(
      `seed ${seed}: ${result.breaches.map((b) => `${b.check}: ${b.text}`).join('\n  ')}\n`,
    )
  }
}
const seconds = (performance.now() - began) / 1000
process.stdout.write(
  `${Math.round(simulated / 1000 / seconds)} x real time, ${(simulated / 3.6e6).toFixed(1)} h in ${seconds.toFixed(1)} s\n${last}\n`,
)
