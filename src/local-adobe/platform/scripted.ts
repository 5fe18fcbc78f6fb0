/** Scripted: the body that a scripted status gets when the script brings none: the service's own form. */
import {
  catalogError,
  flowError,
  gatewayError,
  mappingError,
  namespaceError,
  type Refused,
  xdmError,
} from './errors.ts'

export function bodyForStatus(status: number, path: string): unknown {
  if (status < 400) return {}
  if (status === 401) return gatewayError('401013', 'Oauth token is not valid').body
  if (status === 429) return gatewayError('429001', 'Too many requests').body
  return refusalOf(status, path).body
}

/** Titles and codes of Flow Service are documented for these; the rest is put together. */
const FLOW: Readonly<Record<number, readonly [code: string, title: string, message: string]>> = {
  403: [
    '2120-403',
    'Forbidden',
    'You do not have sufficient permissions to perform the operation. Please contact your administrator to resolve permissions and try again.',
  ],
  404: ['1439-404', 'Resource not found', 'The requested resource is not found.'],
  500: ['1102-500', 'Internal Error', 'An internal error has occurred. Please try again.'],
  503: ['1103-503', 'Service Unavailable', 'The service is temporarily unavailable.'],
  504: ['1104-504', 'Gateway Timeout', 'A gateway timeout has occurred. Please try again.'],
}

function refusalOf(status: number, path: string): Refused {
  const message = MESSAGES[status] ?? `The request was answered with ${status}.`
  if (path.includes('/flowservice')) {
    const [code, title, text] = FLOW[status] ?? [`1400-${status}`, 'Invalid request', message]
    return flowError(code, title, text)
  }
  if (path.includes('/schemaregistry')) return xdmError(`1000-${status}`, message, message)
  if (path.includes('/mappingSets')) return mappingError(status, message, message)
  if (path.includes('/idnamespace')) return namespaceError(status, message, message, message)
  return catalogError(status, message)
}

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  403: 'Forbidden',
  404: 'Resource not found',
  500: 'Internal server error',
  503: 'Service unavailable',
}
