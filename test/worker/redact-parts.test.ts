/** Redaction of split events in raw. */
import { redactedParts } from './redact-parts.ts'

redactedParts({})
