/**
 * The page's style and script. Their addresses hold a hash of their content, so browsers keep them for good, and never
 * with an older or newer page. Public: they are the same for everyone.
 */
import { notFound } from '../problems.ts'
import { client } from './client/page.js'
import { STYLE } from './style.ts'

type Asset = { text: string; type: string }

const STYLE_ASSET: Asset = { text: STYLE, type: 'text/css' }
const SCRIPT_ASSET: Asset = { text: `(${client})()`, type: 'text/javascript' }

const nameOf = ({ text }: Asset, suffix: string) => `page.${hash(text)}.${suffix}`
const STYLE_NAME = nameOf(STYLE_ASSET, 'css')
const SCRIPT_NAME = nameOf(SCRIPT_ASSET, 'js')

export const STYLE_PATH = `/admin/assets/${STYLE_NAME}`
export const SCRIPT_PATH = `/admin/assets/${SCRIPT_NAME}`

const ASSETS = new Map([
  [STYLE_NAME, STYLE_ASSET],
  [SCRIPT_NAME, SCRIPT_ASSET],
])

export function assetResponse(name: string): Response {
  const asset = ASSETS.get(name)
  if (!asset) return notFound()
  return new Response(asset.text, {
    headers: {
      'content-type': `${asset.type}; charset=utf-8`,
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** FNV-1a: tells versions apart, and protects nothing. */
function hash(text: string): string {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return (value >>> 0).toString(16).padStart(8, '0')
}
