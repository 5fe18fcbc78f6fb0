/** The benchmark itself: its arithmetic, and what it writes. */
import { describe, expect, it } from 'vitest'
import { CONTENDERS } from '../bench/contenders.ts'
import { asNumber, asRatio, quantile, ratios, spread } from '../bench/figures.ts'
import { readOptions } from '../bench/options.ts'
import { billOf, freeShare, NOTHING, PAID_PLAN } from '../bench/prices.ts'
import { hundredASecond, loadsOf, usageOf } from '../bench/scenes/cost.ts'
import { lossOf } from '../bench/scenes/loss.ts'
import { type CpuProfile, roomOfSource, roomsOf } from '../bench/scenes/profile.ts'
import { faultsOf, rowsOf } from '../bench/scenes/scene.ts'
import { markdownOf, replaceBetween, type Section, svgOf } from '../bench/section.ts'

describe('figures', () => {
  it('have the median and the quartiles between neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(spread([5, 1, 4, 2, 3])).toEqual({ median: 3, lower: 2, upper: 4, rounds: 5 })
    expect(spread([])).toBeNull()
  })

  it('are divided round by round, and only where both sides have a round', () => {
    // The third round was disturbed, for both: the sums say 0.31, the medians 0.4.
    expect(ratios([50, 40, 4], [100, 100, 100])).toMatchObject({ median: 0.4 })
    expect(ratios([50, 4, 30], [100, 10, 50])).toMatchObject({ median: 0.5, rounds: 3 })
    expect(ratios([50, null, 30], [100, 10])).toMatchObject({ median: 0.5, rounds: 1 })
    expect(ratios([50], [0])).toBeNull()
  })

  it('are written short, and as a dash where there is none', () => {
    expect(asRatio({ median: 1.314, lower: 1.2, upper: 1.4, rounds: 3 })).toBe('1.31 [1.20–1.40]')
    expect([0.2249, 12.34, 1234.5, null].map(asNumber)).toEqual(['0.22', '12.3', '1,235', '–'])
    expect(asRatio(null)).toBe('–')
  })
})

const SECTION: Section = {
  scene: 'healthy',
  title: 'Healthy',
  text: ['All is well.'],
  tables: [
    {
      head: ['', 'ms', 'MiB'],
      rows: [
        ['ours', '1', '2'],
        ['nginx', 'could not be installed here: no apt-get'],
      ],
    },
  ],
  charts: [
    {
      file: 'a.svg',
      title: 'A & B',
      unit: 'ms',
      bars: [
        { name: '**ours**', value: 1, isOurs: true },
        { name: '<theirs>', value: 2, isOurs: false },
      ],
    },
  ],
  notes: ['As it is.'],
  faults: [],
  figures: {},
}

describe('what is published', () => {
  it('is a table with what is missing from it', () => {
    expect(markdownOf(SECTION)).toBe(
      'All is well.\n\n|  | ms | MiB |\n| --- | --- | --- |\n| ours | 1 | 2 |\n' +
        '| nginx | could not be installed here: no apt-get |  |\n\n' +
        '![A & B](benchmarks/a.svg)\n\n- As it is.',
    )
  })

  it('has a row for who did not come up, and a fault where that is the relay', () => {
    const [relay, nginx] = ['relay', 'nginx'].map((id) => {
      const contender = CONTENDERS.find((each) => each.id === id)
      if (!contender) throw new Error(id)
      return { contender, failed: 'it ended\nby itself' }
    })
    if (!relay || !nginx) throw new Error('missing')
    const well = { ...nginx, failed: null }
    expect(rowsOf([nginx, well], () => ['1', '2'])).toEqual([
      ['nginx', 'missing: it ended by itself'],
      ['nginx', '1', '2'],
    ])
    expect(faultsOf([relay, nginx, well], () => ['lost 1'])).toEqual(['relay: it ended\nby itself'])
    expect(faultsOf([{ ...relay, failed: null }], () => ['lost 1'])).toEqual(['relay: lost 1'])
  })

  it('replaces its own part of the page and nothing else', () => {
    const page = 'before\n<!-- bench:loss -->\nold\n<!-- /bench:loss -->\nafter'
    expect(replaceBetween(page, 'loss', 'new')).toBe(
      'before\n<!-- bench:loss -->\nnew\n<!-- /bench:loss -->\nafter',
    )
    expect(() => replaceBetween(page, 'drain', 'new')).toThrow('no <!-- bench:drain -->')
  })

  it('draws bars in proportion, with names as text', () => {
    const svg = svgOf(SECTION.charts[0] as Section['charts'][number])
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    )
    expect(widths[1]).toBe(2 * (widths[0] ?? 0))
    expect(svg).toContain('&lt;theirs&gt;')
    expect(svg).toContain('aria-label="A &amp; B"')
  })
})

describe('a profile', () => {
  const frame = (functionName: string, url = '') => ({
    callFrame: { functionName, url, lineNumber: 0, columnNumber: 0 },
  })

  it('gives a built-in function to the code that calls it, and leaves out what is idle', () => {
    const taken: CpuProfile = {
      nodes: [
        { id: 1, ...frame('(root)'), children: [2, 4, 5] },
        { id: 2, ...frame('handle', 'index.js'), children: [3] },
        { id: 3, ...frame('parse') },
        { id: 4, ...frame('(idle)') },
        { id: 5, ...frame('(garbage collector)') },
      ],
      samples: [2, 3, 4, 5],
      timeDeltas: [10, 20, 40, 80],
    }
    expect([...roomsOf(taken, ({ url }) => url)]).toEqual([
      ['index.js', 30],
      ['garbage collection', 80],
    ])
  })

  it('names the room of ours, and the package of what is not', () => {
    const sources = [
      '../src/worker/aep/record/xdm.ts',
      '../node_modules/hono/dist/hono.js',
      '../node_modules/@scope/name/index.js',
      'index.js',
    ]
    expect(sources.map(roomOfSource)).toEqual([
      'src/worker/aep/record',
      'hono',
      '@scope/name',
      'its own code',
    ])
  })
})

describe('options', () => {
  it('name what is wrong with them', () => {
    const wrong = (...args: string[]) => expect(readOptions(args))
    wrong('--only', 'healthy,nothing').toEqual({ wrong: '--only: there is no nothing' })
    wrong('--opponents', 'nginx,apache').toEqual({ wrong: '--opponents: there is no apache' })
    wrong('--rounds', '0').toEqual({ wrong: '--rounds: a whole number, 1 or more' })
  })

  it('write nothing after a quick run', () => {
    expect(readOptions(['--quick', '--only', 'loss'])).toMatchObject({
      writes: false,
      parts: ['loss'],
    })
    expect(readOptions([])).toMatchObject({ writes: true, opponents: null })
  })
})

describe('a loss', () => {
  it('is what was acknowledged and never accepted; what was accepted twice is doubled', () => {
    const accepted = new Map([
      [1, 1],
      [2, 2],
      [9, 3],
    ])
    // 9 was accepted and not acknowledged: the sender knows, so it is neither lost nor counted.
    expect(lossOf(5, [1, 2, 3], accepted)).toEqual({
      sent: 5,
      acknowledged: 3,
      delivered: 2,
      lost: 1,
      doubled: 1,
    })
  })
})

describe('costs', () => {
  const cpu = { healthy: 0.2, outage: 1, 'store-first': 1, first: 5 }
  const operations =
    '| straight through, 100 a second over ten isolates for a minute | 139 | reports 120 | 82 | 6000 |'

  it('are nothing above the plan within what it includes, and by the million above', () => {
    expect(billOf(NOTHING).total).toBe(PAID_PLAN)
    const { total, lines } = billOf({
      ...NOTHING,
      rowsWritten: 60_000_000 / 30,
      requests: 11e6 / 30,
    })
    expect(total).toBeCloseTo(PAID_PLAN + 10 + 0.3)
    expect(lines.map(({ name }) => name)).toEqual(['Paid plan', 'requests', 'rows written'])
  })

  it('name what of the Free plan is used up first', () => {
    expect(freeShare({ ...NOTHING, rowsWritten: 150_000, requests: 1_000 })).toEqual({
      name: 'rows written',
      share: 1.5,
    })
  })

  it('count with the rows that the documentation has', () => {
    expect(hundredASecond(operations)).toEqual({ events: 6_000, written: 139, requests: 82 })
    expect(() => hundredASecond('nothing')).toThrow('no row of a hundred a second')
    const [, , hundred] = loadsOf(operations)
    if (!hundred) throw new Error('no load of a hundred a second')
    const usage = usageOf(hundred, 'healthy', cpu, false)
    const cron = usageOf({ ...hundred, events: 0 }, 'healthy', cpu, false)
    expect(usage.rowsWritten - cron.rowsWritten).toBeCloseTo((8_640_000 * 139) / 6_000)
    expect(usage.cpuMs).toBeCloseTo(8_640_000 * 0.2)
  })

  it('are more in store-first than healthy, for every load', () => {
    for (const load of loadsOf(operations)) {
      const rows = (way: 'healthy' | 'store-first') => usageOf(load, way, cpu, true).rowsWritten
      expect(rows('store-first')).toBeGreaterThan(rows('healthy'))
    }
  })
})
