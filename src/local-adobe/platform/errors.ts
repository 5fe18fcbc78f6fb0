/**
 * Errors: the bodies in which each Platform service refuses, as far as Adobe documents them. Data Prep
 * documents none; it gets the general form of Adobe's problem reports, and nothing may depend on it.
 *
 * A route throws `Refused`; `routes.ts` turns it into the response. Messages quote names and ids that the
 * caller sent, as Adobe's do, and never a token.
 */
export class Refused extends Error {
  readonly status: number
  readonly body: unknown

  constructor(status: number, body: unknown) {
    super(`Refused with ${status}`)
    this.status = status
    this.body = body
  }
}

const REQUEST_ID = 'local-request'

/** `code` as in Adobe's table of Flow Service errors: `1439-400` is FLOW-1439 with status 400. */
export function flowError(code: string, title: string, message: string): Refused {
  const status = Number(code.slice(-3))
  return new Refused(status, {
    type: `https://ns.adobe.com/aep/errors/FLOW-${code}`,
    title,
    status,
    report: {
      'detailed-message': message,
      id: `FLOW-${code}`,
      'request-id': REQUEST_ID,
      type: 'error',
    },
    errorMessage: message,
    errorDetails: message,
  })
}

export const invalidFlow = (code: string, message: string) =>
  flowError(code, 'Invalid request', message)

/** `code` such as `1521-400`. */
export function xdmError(code: string, title: string, message: string): Refused {
  const status = Number(code.slice(-3))
  return new Refused(status, {
    type: `http://ns.adobe.com/aep/errors/XDM-${code}`,
    title,
    status,
    report: {
      registryRequestId: REQUEST_ID,
      timestamp: registryTime(new Date()),
      'detailed-message': message,
      'sub-errors': [],
    },
    detail: message,
  })
}

export function catalogError(status: number, detail: string): Refused {
  const title = CATALOG_TITLES[status] ?? 'Error'
  return new Refused(status, { type: '/placeholder/type/uri', status, title, detail })
}

const CATALOG_TITLES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  403: 'ForbiddenError',
  404: 'NotFoundError',
  412: 'PreconditionFailedError',
  429: 'TooManyRequestsError',
  500: 'InternalServerError',
  503: 'ServiceUnavailableError',
}

export function namespaceError(
  status: number,
  title: string,
  code: string,
  description: string,
): Refused {
  return new Refused(status, {
    timestamp: new Date().toISOString(),
    type: 'http://ns.adobe.com/adobecloud/problem/namespacevalidation',
    status,
    title,
    description,
    report: { code },
  })
}

export function mappingError(status: number, title: string, message: string): Refused {
  return new Refused(status, {
    type: 'http://ns.adobe.com/adobecloud/problem/data-prep',
    status,
    title,
    report: { message },
  })
}

/** Refusals of Adobe's gateway, before any service sees the request. */
export function gatewayError(code: string, message: string): Refused {
  return new Refused(Number(code.slice(0, 3)), { error_code: code, message })
}

/** `06-01-2021 04:11:06` */
function registryTime(date: Date): string {
  const [day = '', time = ''] = date.toISOString().split('T')
  const [year, month, dayOfMonth] = day.split('-')
  return `${month}-${dayOfMonth}-${year} ${time.slice(0, 8)}`
}
