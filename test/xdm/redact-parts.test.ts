/** Redaction of split events in xdm, whose parts share requests. */
import { redactedParts } from '../worker/redact-parts.ts'

redactedParts({ mode: 'xdm', auth: true })
