/**
 * What Adobe's own B2B set-up utility asks for (experience-platform-postman-samples, "Namespaces and Schemas
 * Autogeneration Utility"), in its order, request by request of one of its entities.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LocalAdobeServer, startLocalAdobe } from '../../../src/local-adobe/server.ts'
import { type Call, clientOf, NAMESPACES, REGISTRY } from './client.ts'

let server: LocalAdobeServer
let call: Call

beforeAll(async () => {
  server = await startLocalAdobe()
  call = await clientOf(server.url)
})
afterAll(() => server.close())

const XDM = 'https://ns.adobe.com/xdm'
const ENTITIES = [
  ['b2b_account', 'B2B_ACCOUNT', `${XDM}/context/account`],
  ['b2b_person', 'CROSS_DEVICE', `${XDM}/context/profile`],
  ['b2b_opportunity', 'B2B_OPPORTUNITY', `${XDM}/context/opportunity`],
  [
    'b2b_opportunity_person_relation',
    'B2B_OPPORTUNITY_PERSON',
    `${XDM}/classes/opportunity-person`,
  ],
  ['b2b_campaign', 'B2B_CAMPAIGN', `${XDM}/classes/campaign`],
  ['b2b_campaign_member', 'B2B_CAMPAIGN_MEMBER', `${XDM}/context/campaign-member`],
  ['b2b_marketing_list', 'B2B_MARKETING_LIST', `${XDM}/classes/marketing-list`],
  [
    'b2b_marketing_list_member',
    'B2B_MARKETING_LIST_MEMBER',
    `${XDM}/classes/marketing-list-member`,
  ],
  ['b2b_account_person_relation', 'B2B_ACCOUNT_PERSON', `${XDM}/classes/account-person`],
] as const

describe('a B2B entity', () => {
  it.each(ENTITIES)('%s has a namespace and a schema', async (code, idType, classId) => {
    const namespace = await call('POST', NAMESPACES, { code, idType, name: code, description: '' })
    expect([namespace.status, namespace.body.code]).toEqual([200, code])
    const allOf = [{ $ref: classId }]
    const schema = { type: 'object', title: code, description: '', allOf }
    expect((await call('POST', `${REGISTRY}/tenant/schemas`, schema)).status).toBe(201)
  })

  it('gets field group, identity, relationship, Profile and with it a merge policy', async () => {
    const listed = await call(
      'GET',
      `${REGISTRY}/tenant/schemas?start=b2b&orderby=title`,
      undefined,
      {
        accept: 'application/vnd.adobe.xed-id+json',
      },
    )
    const [account, relation] = listed.body.results
    const patch = (value: unknown, path = '/allOf/-') =>
      call('PATCH', `${REGISTRY}/tenant/schemas/${account['meta:altId']}`, [
        { op: 'add', path, value },
      ])
    expect((await patch({ $ref: `${XDM}/mixins/account-details` })).status).toBe(200)
    const common = { 'xdm:sourceSchema': account.$id, 'xdm:sourceVersion': 1 }
    const descriptors = [
      {
        '@type': 'xdm:descriptorIdentity',
        'xdm:sourceProperty': '/accountKey/sourceKey',
        'xdm:namespace': 'b2b_account',
        'xdm:property': 'xdm:code',
        'xdm:isPrimary': true,
      },
      {
        '@type': 'xdm:descriptorOneToOne',
        'xdm:sourceProperty': '/accountParentKey/sourceKey',
        'xdm:destinationSchema': relation.$id,
        'xdm:destinationVersion': 1,
        'xdm:destinationProperty': '/accountKey/sourceKey',
      },
      {
        '@type': 'xdm:descriptorReferenceIdentity',
        'xdm:sourceProperty': '/accountParentKey/sourceKey',
        'xdm:identityNamespace': 'b2b_account',
      },
    ]
    for (const own of descriptors) {
      const path = `${REGISTRY}/tenant/descriptors`
      expect((await call('POST', path, { ...common, ...own })).status).toBe(201)
    }
    const policies = () =>
      call(
        'GET',
        '/data/core/ups/config/mergePolicies?default=true&schema.name=_xdm.context.account',
      )
    expect((await policies()).body._page.totalCount).toBe(0)
    expect((await patch(['union'], '/meta:immutableTags')).status).toBe(200)
    expect((await policies()).body._page.totalCount).toBe(1)
  })

  it('has a code of letters, digits and underscores', async () => {
    for (const code of ['b2b-account', 'b2b.account', 'b2b account', '']) {
      const own = { code, idType: 'B2B_ACCOUNT', name: 'other' }
      expect((await call('POST', NAMESPACES, own)).status).toBe(400)
    }
  })
})
