import { describe, expect, it } from 'vitest'
import { STEPS } from '../../src/worker/outbox/storage/migrations.ts'

/**
 * SHA-256 of each released step, in order. Storage exists on which these have run, so never change or remove a line. A
 * new step adds one.
 */
const LANDED: readonly string[] = [
  '4656e91ed9b6232ae6a6aae5924968ea4abb7be8473b77470cdc0c9b3ab28105',
  'b1fdacddb3bf6ee177b1fa8aaae5d905d9fb25ec2b8522706d747bb94f4be3d7',
  '1334be19b6db3df90047a14cdb0ba053926a16e4cb71f1c4fc92f5e3de55fbeb',
  'f8d8dffb706da6848b1a5085ddc60021bd9c52359c1ad08decda6e05a6455d87',
  'f69bc2f81cc6d5464c5ee6e1d368a3f064147f46a2c4bf89bae4918ac4a39331',
  '18f609f641dc4b3a025e6afa4e819ca798733a402795e6126953ea06aecf224b',
  'f9fc6ae3afb0f64f213b9c54d1d3ed3b22415c195b1089cd4736f6d239d10eee',
]

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

describe('the steps of the schema', () => {
  it('are never edited after their release', async () => {
    expect(await Promise.all(STEPS.map(sha256))).toEqual(LANDED)
  })
})
