/**
 * Accept: which form of a resource the Schema Registry is asked for. The header is required on every GET;
 * the look-up of one resource must also name a version. Pure.
 */
import { xdmError } from '../errors.ts'

export type Form = {
  /** Only `$id`, `meta:altId`, `version` and `title`. */
  readonly summary: boolean
  /** `$ref` and `allOf` resolved into `properties`. */
  readonly full: boolean
  /** Without titles and descriptions. */
  readonly notext: boolean
  readonly descriptors: boolean
}

const MEDIA = /^application\/vnd\.adobe\.(xed|xdm)((?:-[a-z0-9]+)*)\+json$/

export function listForm(accept: string | undefined): Form {
  const { form, version } = parse(accept)
  if (version !== null) throw notAcceptable(accept, 'application/vnd.adobe.{xed|xdm}+json')
  return form
}

export function lookupForm(accept: string | undefined): Form {
  const { form, version } = parse(accept)
  if (version === null) {
    throw notAcceptable(accept, 'application/vnd.adobe.{xed|xdm}+json; version={MAJOR_VERSION}')
  }
  if (!/^1(\.\d+)?$/.test(version)) {
    throw xdmError('1010-404', 'Resource not found', `Version ${version} could not be found.`)
  }
  return form
}

type DescriptorForm = 'id' | 'link' | 'full' | 'paged'

/** Descriptors have media types of their own: `xdm`, where all others have `xed`. */
export function descriptorForm(accept: string | undefined): DescriptorForm {
  const { vocabulary, suffix } = parse(accept)
  const form = { '': 'full', '-id': 'id', '-link': 'link', '-v2': 'paged' } as const
  const known = vocabulary === 'xdm' && suffix in form
  if (!known) throw notAcceptable(accept, 'application/vnd.adobe.xdm{-id|-link|-v2}+json')
  return form[suffix as keyof typeof form]
}

function parse(accept: string | undefined) {
  const [media = '', ...parameters] = (accept ?? '').split(';').map((part) => part.trim())
  const match = MEDIA.exec(media)
  if (!match) throw notAcceptable(accept, 'application/vnd.adobe.{xed|xdm}+json')
  const [, vocabulary = '', suffix = ''] = match
  const words = suffix.split('-')
  const version = parameters.find((one) => one.startsWith('version='))?.slice('version='.length)
  return {
    vocabulary,
    suffix,
    version: version ?? null,
    form: {
      summary: words.includes('id'),
      full: words.includes('full'),
      notext: words.includes('notext'),
      descriptors: words.includes('desc'),
    },
  }
}

/** 400 as today's pages have it; older pages, and Adobe's OpenAPI file, say 406. */
function notAcceptable(accept: string | undefined, example: string) {
  const message = `The supplied Accept header is not valid: ${accept ?? 'none'} - A valid Accept value should look like ${example}`
  return xdmError('1006-400', 'Accept header invalid', message)
}
