/**
 * Every limit of the relay, in one place: its unit in the name, its reason above the number.
 * Sources: "MULTI", "GUARD", "PGUARD", "OAS" are Adobe's pages ingestion/tutorials/streaming-multiple-messages,
 * ingestion/guardrails, profile/guardrails and the data-ingestion OpenAPI file; "DO limits" is Cloudflare's
 * durable-objects/platform/limits page.
 */

/** Largest webhook body. A stored row (body and metadata) stays well below the 2 MB of a Durable Object row (DO limits). */
export const MAX_BODY_BYTES = 1_572_864

/** Deepest JSON taken. Far beyond any chat, and far below where `JSON.stringify` runs out of stack. */
export const MAX_JSON_DEPTH = 1_000

/** Most places named in one 422. A transcript with ten thousand broken messages needs no ten thousand lines. */
export const MAX_ISSUES = 20

/** Shortest webhook key or admin token, in characters. Shorter ones are guessed, so they count as not set. */
export const MIN_SECRET_CHARACTERS = 20

/** `Retry-After` of our own 503, in seconds: neither AEP nor the outbox could take the event just now. */
export const UNAVAILABLE_RETRY_AFTER_SECONDS = 10

/** AEP refuses a larger request with 413 (MULTI, OAS: "1 MB", read as the smaller of its two meanings). */
export const AEP_MAX_REQUEST_BYTES = 1_000_000

/** Most of an AEP answer that is read: a batch of 100 refused messages fits several times over. */
export const MAX_ANSWER_BYTES = 262_144

/** Most of an AEP answer that is kept with an event for the operator. */
export const KEPT_ANSWER_BYTES = 8_192

/** Longest piece of AEP's title, keyword or pointer that is repeated in a log line or an error. */
export const MAX_REPORT_CHARACTERS = 120

/** A `Retry-After` of AEP is honoured up to here: one typing error on its side must not stop relaying for a day. */
export const MAX_RETRY_AFTER_MS = 3_600_000

/** Failures blamed on one event before it is dead. A destination that fails three times out of four kills a good event with 0.75^30, once in 5,600. */
export const MAX_STRIKES = 30

/** Connections of one drain: a Durable Object has six at a time, and a seventh waits with its timeout running (DO limits). */
export const DRAIN_CONCURRENCY = 6

/** Slots that tried events may take while untried ones wait: what hangs again and again must not fill the pool. */
export const DRAIN_RETRY_SLOTS = 3

/** Events sent in one alarm: well below its 30 s of CPU, after which the next alarm goes on. */
export const MAX_EVENTS_PER_RUN = 5_000

/** No attempt begins later than this in one alarm, whose wall time is 15 minutes (wall-time-limits). */
export const MAX_RUN_MS = 300_000

/** Positions read ahead of the pool. */
export const DRAIN_READ_AHEAD = 64

/** Expired events erased in one transactional sweep. */
export const EXPIRE_BATCH = 100

/** How long a request waits for the outbox before it answers 503. The runtime's own retries end at 10 s (automatic-retries). */
export const STORE_TIMEOUT_MS = 10_000

/** Each isolate asks the outbox at most this often for pause and hold, after it has answered. */
export const REFRESH_INTERVAL_MS = 10_000

/** Longest time between two inline tries while the destination fails. */
export const MAX_BREAKER_WINDOW_MS = 60_000

/** `/health` says `expiring` from this long before a pending event is erased, or from half the retention if that is shorter. */
export const EXPIRY_WARNING_MS = 7 * 86_400_000

/** Events that one redrive step reads again before the outbox may do something else. */
export const REDRIVE_PAGE = 50

/** One request for a token. Its callers have shorter deadlines of their own; what comes later still serves the next. */
export const IMS_TIMEOUT_MS = 15_000

/** A token is not used in the last minute (or the last tenth) of its life: it must still be good when it arrives. */
export const TOKEN_MARGIN_MS = 60_000

/** Messages of one batch request. No limit is documented; "MULTI" speaks of 200 small ones. */
export const BATCH_MAX_MESSAGES = 100

/** Bytes of one batch request, just under what AEP refuses. */
export const BATCH_MAX_BYTES = 990_000

/** A request may go on for 30 s after its sender has hung up (workers/platform/limits), storing included. */
export const MAX_FORWARD_TIMEOUT_MS = 25_000

/** Many attempts must fit into the 15 minutes of an alarm. */
export const MAX_DRAIN_TIMEOUT_MS = 60_000

/** Everything that lists or refreshes asks all shards at once. */
export const MAX_SHARDS = 256

/** Below this a part has no room for its own fields beside a piece of text. */
export const MIN_EVENT_BYTES = 1_000

/** Clocks of machines differ. A time that is further ahead than this comes from a clock that was wrong. */
export const MAX_CLOCK_SKEW_MS = 1_000

/** Longest access token: what fits beside the other headers into the 16 kB that common servers take. */
export const MAX_TOKEN_CHARACTERS = 8_192

/**
 * After an inlet refused a whole batch whose events it then took one by one, events are sent alone for this long:
 * a batch that is refused costs twice as many requests as sending its events alone.
 */
export const BATCH_REST_MS = 600_000

/** Events that one slot of a drain looks at before it gives up finding one that can be encoded. */
export const MAX_UNSENDABLE_PER_TURN = 100

/** Bytes of stored bodies in flight in one drain: a body takes up to a hundred times as much memory when it is parsed. */
export const MAX_BYTES_IN_FLIGHT = 3_145_728

/** A body above this is put on record before it is processed, in case processing it ends the isolate. */
export const LARGE_BODY_BYTES = 262_144

/** Tries of one event that began and never ended, before it is tried alone; one more, and it goes to quarantine. */
export const MAX_UNFINISHED_TRIES = 3

export const DAY_MS = 86_400_000

/** Events that an alert counts as about to be erased; beyond it says "more than": counting reads every row. */
export const MAX_COUNTED_EXPIRING = 1_000

/** Refused events that one run of the cron trigger counts; the rest is counted at the next. */
export const MAX_REFUSALS_READ = 10_000

/** Different causes of refusals that one shard tells of at a time, the most frequent first. */
export const MAX_CAUSES_READ = 50

/** Causes of refusals that alerts remember for a day; the rarest are forgotten first, and told anew when they return. */
export const MAX_CAUSES_KEPT = 100

/** An alert that goes on is repeated at most this often. */
export const ALERT_REPEAT_MS = 4 * 3_600_000

/** One request to the alert webhook or the heartbeat, answer included. */
export const ALERT_TIMEOUT_MS = 10_000

/** Differences from the documented shape that are reported of one event. */
export const MAX_DRIFT_FINDINGS = 50

/** Shapes of events that an isolate remembers; Chatlio's own are a few dozen. */
export const MAX_DRIFT_SHAPES = 1_000

/** New shapes looked at in one interval. */
export const MAX_DRIFT_LOOKS = 60

/** How often an isolate reports a difference that goes on, to count it. */
export const DRIFT_REPORT_INTERVAL_MS = 300_000

/** Differences kept of one kind. */
export const MAX_DRIFT_ROWS_PER_KIND = 200
