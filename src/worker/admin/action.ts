/** Which operator acts: the name that the operators' log puts beside an action. */
import type { AppContext } from '../services.ts'

/** The name under which a middleware leaves the address of an operator whom Cloudflare Access let in. */
export const OPERATOR = 'operator'

/** That address, or `token`. */
export function operatorOf(c: AppContext): string {
  const operator: unknown = c.get(OPERATOR as never)
  return typeof operator === 'string' ? operator : 'token'
}
