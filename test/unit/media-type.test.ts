import { describe, expect, it } from 'vitest'
import { compressionOf, isAcceptedMediaType } from '../../src/worker/http/webhook.ts'

describe('the content type of a webhook', () => {
  it.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    ' application/json ',
    'application/json ; a="b;c"',
    'application/json; profile="https://a.example/x, https://b.example/y"',
    'application/json; a="b\\"c, d", application/json',
    'application/problem+json',
    'application/vnd.chatlio.v1+json; charset=utf-8',
    'application/cloudevents-batch+JSON',
    'image/svg+json',
    'application/a+b+json',
    'application/vnd.one&two+json',
    'text/json',
    'Text/JSON; charset=utf-8',
    'application/json, application/json',
    'application/json; charset=utf-8, application/json;charset=utf-8',
    'text/json,application/json',
    'text/plain',
    'TEXT/PLAIN; charset=us-ascii',
  ])('is accepted if it is any JSON type, or plain text: %j', (header) => {
    expect(isAcceptedMediaType(header)).toBe(true)
  })

  it.each([null, '', ' '])('may be absent: %j', (header) => {
    expect(isAcceptedMediaType(header)).toBe(true)
  })

  it.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/html',
    'text/plainer',
    'text/*',
    '*/*',
    'json',
    'application',
    'application/',
    'application/jsonp',
    'application/json5',
    'application/x-ndjson',
    'application/json-patch',
    'application/+json',
    '/vnd+json',
    'application/vnd+json+xml',
    'application/xml',
    'application/octet-stream',
    'xapplication/json',
    'application/json/x',
    'application/xml; a=application/json',
    'application/json, text/html',
    'application/json; charset=utf-8, text/html',
    'text/jsonp',
    'application/json text/html',
    'application/json; a="b", text/html',
  ])('is refused if it is anything else: %j', (header) => {
    expect(isAcceptedMediaType(header)).toBe(false)
  })

  it('may be of any length', () => {
    expect(isAcceptedMediaType(`a/${'+'.repeat(100_000)}x`)).toBe(false)
    expect(isAcceptedMediaType(`${'a/'.repeat(50_000)}+json`)).toBe(false)
    expect(isAcceptedMediaType(`text/html; a="${'\\"'.repeat(100_000)}`)).toBe(false)
    expect(isAcceptedMediaType(`application/json, a${'"'.repeat(100_000)}`)).toBe(false)
  })
})

describe('the content encoding of a webhook', () => {
  it.each([
    [null, null],
    ['', null],
    ['identity', null],
    ['gzip', 'gzip'],
    [' GZIP ', 'gzip'],
    ['x-gzip', 'gzip'],
    ['X-Gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['Deflate', 'deflate'],
  ])('is none, gzip or deflate: %j', (header, compression) => {
    expect(compressionOf(header)).toBe(compression)
  })

  it.each([
    'br',
    'zstd',
    'x-deflate',
    'x-gzip, gzip',
    'gzip, gzip',
    'deflate, gzip',
    'gzip,',
    'gzip;q=1',
    'x',
    'gzipped',
  ])('is no other, and not several: %j', (header) => {
    expect(compressionOf(header)).toBeUndefined()
  })
})
