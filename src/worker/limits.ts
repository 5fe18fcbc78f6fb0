/**
 * The limits of the relay, by what they bound: the unit in the name, the reason above the number. One that only a single
 * algorithm knows of, or that somebody else's form sets, stands there. docs/sources.md resolves the source keys.
 */

// Units.
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

// What is taken of a webhook.
/** Largest webhook body. Keeps a stored row (body and metadata) well below the 2 MB of a Durable Object (DO limits). */
export const MAX_BODY_BYTES = 1_572_864
/** Deepest JSON accepted: far deeper than any chat, and far from where `JSON.stringify` overflows the stack. */
export const MAX_JSON_DEPTH = 1_000
/**
 * Most object members and array elements in one body. The largest body that is full of one-word messages with every
 * documented field has some 90,000. A hostile body of that size has up to 780,000, which take 100 MB once they are
 * parsed and normalized, of the 128 MB that an isolate has (workers/platform/limits).
 */
export const MAX_JSON_VALUES = 100_000
/**
 * How much of a compressed body is decompressed at a time. The runtime buffers the output, up to 1,032 times as much
 * (the best ratio of deflate), before it can be counted.
 */
export const DECOMPRESSION_STEP_BYTES = 1_024
/** Most issues reported in one 422, even if ten thousand messages are invalid. */
export const MAX_ISSUES = 20
/** Most issues in one log line: enough to see which field changed. */
export const MAX_LOGGED_ISSUES = 3
/** `Retry-After` of the relay's own 503, sent if neither AEP nor the outbox could take the event. */
export const UNAVAILABLE_RETRY_AFTER_SECONDS = 10

// Keys and operators.
/** Shortest webhook key or admin token. Shorter ones can be guessed, so they count as not set. */
export const MIN_SECRET_CHARACTERS = 20
/** How long an operator stays signed in: a working day. */
export const SESSION_MS = 12 * HOUR_MS
/** A form of the operators' page. Sign-in is open to anyone, so no more is read. */
export const MAX_FORM_BYTES = 16_384
/** How much of the name of an unknown parameter an error repeats. */
export const MAX_PARAMETER_CHARACTERS = 64
/** Operators' actions are kept this long. */
export const OPERATOR_LOG_MS = 90 * DAY_MS

// What one answer, or one step, of an operators' command holds.
/**
 * Events that one page of a list looks at where no index serves its filter: an index would cost each event a row written;
 * 500 are read in a few milliseconds.
 */
export const MAX_SCANNED = 500
/** Rows of receipts, some 4,000 to each, that one page of all events reads at most. */
export const MAX_RECEIPT_ROWS = 8
/** Failures in one answer, the newest first. */
export const MAX_FAILURES_SHOWN = 1_000
/** Conversations without a transcript that are named. */
export const MAX_MISSING = 200
/** Events in one step of an export; their bodies are bounded like those of a redrive. */
export const EXPORT_PAGE = 200
/** Events that one step of a redrive takes, or of a delete or an erasure, and bytes of their bodies: then other work has its turn. */
export const REDRIVE_PAGE = 50
export const ERASE_PAGE = 500
export const BULK_BYTES = 8_388_608
/** Events of one redrive whose progress is watched, the oldest: a row is read for each whenever somebody looks. */
export const MAX_WATCHED = 1_000

// Erasing a person.
/** Of one erasure; the last must find nothing. */
export const MAX_ERASE_ROUNDS = 10
/** Longest suppression, and the one without asking: as long as Adobe's own deletion may take (Privacy Service: 15 to 45 days). */
export const MAX_SUPPRESS_DAYS = 90
export const DEFAULT_SUPPRESS_DAYS = 45

// Health.
/** How long an isolate repeats a `/health` answer. Anyone may ask, and every new answer asks the outbox. */
export const HEALTH_CACHE_MS = 2_000
/** How often a request looks whether the first `/health` answer of its isolate has come, which another one asked for. */
export const FIRST_HEALTH_LOOK_MS = 50
/** How often the outbox proves by a write that events can be stored, while no event does. */
export const WRITE_PROBE_INTERVAL_MS = 60_000
/** How long before an event of any state expires `/health` and alerts say so; half the retention if that is shorter. */
export const EXPIRY_WARNING_MS = 7 * DAY_MS

// One request to AEP, and its answer.
/** AEP refuses a larger request with 413 (MULTI, OAS: "1 MB", taken as the smaller of its two meanings). */
export const AEP_MAX_REQUEST_BYTES = 1_000_000
/** Smallest `MAX_EVENT_BYTES`. Below it, a part has no room for text beside its fixed fields. */
export const MIN_EVENT_BYTES = 1_000
/** Messages in one batch request. Adobe documents no limit; MULTI mentions 200 small ones. */
export const BATCH_MAX_MESSAGES = 100
/** Size of one batch request, just below the size that AEP refuses. */
export const BATCH_MAX_BYTES = 990_000
/** How much of an AEP answer is read. The answer to a batch of 100 refused messages fits several times over. */
export const MAX_ANSWER_BYTES = 262_144
/** How much of an AEP answer is stored with an event, for the operator. */
export const KEPT_ANSWER_BYTES = 8_192
/** How much of AEP's title, keyword or pointer appears in a log line or an error. */
export const MAX_REPORT_CHARACTERS = 120
/** Longest `Retry-After` of AEP that is honoured: a mistake there must not stop relaying for a day. */
export const MAX_RETRY_AFTER_MS = HOUR_MS
/** Deadline of a token request. Callers may give up earlier; a token that arrives later serves the next caller. */
export const IMS_TIMEOUT_MS = 15_000
/** A token is not used in the last minute (or tenth, if shorter) of its life, so that it is still valid on arrival. */
export const TOKEN_MARGIN_MS = 60_000
/** Longest access token: fits, with the other headers, into the 16 kB that common servers accept. */
export const MAX_TOKEN_CHARACTERS = 8_192

// Relaying inside a request.
/** A request may run for 30 s after its sender disconnects (workers/platform/limits), and must also store the event. */
export const MAX_FORWARD_TIMEOUT_MS = 25_000
/** How long a request waits for the outbox before it answers 503. The runtime retries for 10 s (automatic-retries). */
export const STORE_TIMEOUT_MS = 10_000
/** How long AEP is asked when nothing can be stored and requests do not ask it otherwise. */
export const LAST_RESORT_TIMEOUT_MS = 3_000
/** Longest time between two attempts inside requests while AEP fails. */
export const MAX_BREAKER_WINDOW_MS = 60_000
/** AEP is silent when so many requests have waited longer than this, or than twice its slowest acceptance lately. */
export const SILENT_REQUESTS = 3
export const MIN_SILENCE_MS = 500
export const SLOWEST_MEMORY_MS = 300_000

// What an isolate buffers and reports.
/** Minimum interval at which an isolate asks the outbox about pause and hold; it does so after it has answered. */
export const REFRESH_INTERVAL_MS = 10_000
/**
 * When every isolate knows of a suppression or a pause: its refresh, and a second for the way. One that has not exchanged
 * for so long asks before it relays.
 */
export const INFORMED_MS = REFRESH_INTERVAL_MS + 1_000
/** How long a webhook waits for an exchange, when its isolate has not had one for `INFORMED_MS`. */
export const EXCHANGE_TIMEOUT_MS = 1_000
/** An exchange that has not ended by now was lost with its request: the next one begins anew. */
export const EXCHANGE_LOST_MS = 60_000
/** How often one request reports while nobody takes it: ten seconds apart, in the half minute for which it may go on. */
export const REPORT_TRIES = 3
/** So many receipts are reported at once, without waiting for the next exchange. */
export const REPORT_AT_RECEIPTS = 1_000
/** Receipts that an isolate buffers; beyond them webhooks are counted only. About 2 MB. */
export const MAX_BUFFERED_RECEIPTS = 4_000
/** Rows of counts that an isolate buffers while the outbox does not take them; from then on by the hour. */
export const MAX_BUFFERED_COUNTS = 2_000
/** Unknown keys whose refused webhooks an isolate counts between two reports, each by itself. */
export const MAX_STRANGERS = 50
/** Lookup hashes that an isolate or the outbox remembers, so as not to make them again. */
export const MAX_KNOWN_HASHES = 1_000

// Storing.
/** No request takes so long to reach the outbox: an event that seems older was dated by a wrong clock. */
export const MAX_ARRIVAL_AGE_MS = HOUR_MS
/** Bytes of bodies that wait for the next write of the outbox: it is made at once when there are more. */
export const MAX_WAITING_BYTES = 4_194_304
/** Attempts of an event that are remembered, the first among them: some 40 bytes each, written along with the row. */
export const MAX_KEPT_ATTEMPTS = 20
/** Expired events read at a time. */
export const EXPIRE_BATCH = 100

// Delivery.
/** Requests under way at first, and again after AEP has throttled or failed; each acceptance of a full pool adds one. */
export const MIN_CONCURRENCY = 6
/** Most requests under way that can be configured: 845 events a second at 100 ms of latency, as measured in workerd. */
export const MAX_DELIVERY_CONCURRENCY = 96
/** Many attempts must fit into the 15 minutes of an alarm (wall-time-limits). */
export const MAX_DRAIN_TIMEOUT_MS = 60_000
/** How much longer than its request an invocation that sends it may take to say how it went. */
export const SENDER_GRACE_MS = 2_000
/** Events, and bytes of their bodies, sent in one alarm. Stays well below its 30 s of CPU; the next alarm continues. */
export const MAX_EVENTS_PER_RUN = 5_000
export const MAX_BYTES_PER_RUN = 67_108_864
/** No attempt starts later than this in one alarm, whose wall time is limited to 15 minutes (wall-time-limits). */
export const MAX_RUN_MS = 300_000
/** Bytes of stored bodies in flight in one drain. A parsed body takes up to a hundred times its size in memory. */
export const MAX_BYTES_IN_FLIGHT = 3_145_728
/** Pending events that a drain looks up at a time, without their bodies. */
export const READ_AHEAD = 256
/** Events among which a probe chooses its kind. */
export const PROBE_LOOK = 256
/** Events that one slot of a drain tries before it gives up finding one that can be encoded. */
export const MAX_UNSENDABLE_PER_TURN = 100
/**
 * How long events are sent one by one after an inlet refused a whole batch and then accepted its events singly. A
 * refused batch costs twice as many requests as sending its events one by one.
 */
export const BATCH_COOLDOWN_MS = 600_000
/** Attempts to process a body above this are counted before they start, in case one ends the isolate. */
export const LARGE_BODY_BYTES = 262_144
/** How often processing a large event may begin and not end before it is processed alone; once more, and it is quarantined. */
export const MAX_UNFINISHED = 3

// What a failure means.
/**
 * Failures blamed on one event before it is dead, over at least a day: an AEP that fails nine requests out of ten must
 * not kill a good event by chance.
 */
export const MAX_STRIKES = 30
export const MIN_STRIKES_MS = DAY_MS
/** Distinct refused events that make the setting suspect, once AEP has accepted nothing for so long. */
export const REFUSALS_TO_HOLD = 3
export const QUIET_MS = 60_000
/** While AEP refuses everything, a new event is tried at once, but no more often than this. */
export const PROBE_INTERVAL_MS = 1_000
/** Dead events that are made pending again in one transaction, when a hold shows that their refusal was none. */
export const REQUEUE_PAGE = 100

// Receipts, counts and their index.
/** Longest that a delivered event is remembered. */
export const MAX_RECEIPT_DAYS = 90
/** Reports that are kept as they came before they are folded; some 20,000 receipts at most under any load. */
export const FOLD_AT_REPORTS = 128
/** What the cron trigger folds: so many reports, or older ones. Folding a few costs as many rows as they do. */
export const FOLD_FROM_REPORTS = 16
export const FOLD_AFTER_MS = HOUR_MS
/** Receipts and counts of delivered events are written together: so many, or those of so long. */
export const DELIVERED_TOGETHER = 500
export const DELIVERED_WITHIN_MS = 1_000
/** A row of reports that is smaller takes more: some 600 receipts. */
export const MAX_APPENDED_BYTES = 65_536
/** Receipts in one row: 430 kB with three hashes each, and 33 kB of filter, of the 2 MB of a row (DO limits). */
export const SEGMENT_RECEIPTS = 4_096
/** Stored events in one row of the index, at most and at least. Fewer are searched as they are. */
export const INDEXED_TOGETHER = 4_096
export const INDEX_FROM = 512
/** How long an event is stored before it is indexed: a request works on one for 35 s at most, then stores it. */
export const INDEX_AFTER_MS = 60_000
/** Activity by the minute is kept this long, then by the hour. */
export const ACTIVITY_MINUTES_MS = 48 * HOUR_MS
export const ACTIVITY_HOURS_MS = 90 * DAY_MS
/** How long the outbox remembers the latest report of an isolate. */
export const ISOLATE_MEMORY_MS = 6 * HOUR_MS
/** How long the last use of a webhook key is remembered. */
export const KEY_MEMORY_MS = 400 * DAY_MS

// Alerts.
/** An alert that goes on is repeated at most this often. */
export const ALERT_REPEAT_MS = 4 * HOUR_MS
/** One request to the alert webhook or the heartbeat, answer included. */
export const ALERT_TIMEOUT_MS = 10_000
/** Events that an alert counts as about to be erased; beyond it says "more than": counting reads every row. */
export const MAX_COUNTED_EXPIRING = 1_000
/** Different causes of refusals that one run of the cron trigger counts, the most frequent first. */
export const MAX_CAUSES_READ = 50
/** Causes of refusals that alerts remember for a day; the rarest are forgotten first, and sent anew when they return. */
export const MAX_CAUSES_KEPT = 100
/** Webhooks refused within an hour, under a key that is good or was, that are worth an alert: fewer are somebody's tests. */
export const MANY_REFUSED = 10
/** A key that was last good so long ago is a stranger's. */
export const FORMER_KEY_MS = 30 * DAY_MS
/** Webhooks in the same hours a week before that make silence worth an alert. */
export const USUAL_WEBHOOKS = 3

// Conversations without a transcript.
/** Rows of receipts, and stored events, that are read to see which conversations have a transcript; the newest of each. */
export const MAX_COMPLETENESS_ROWS = 32
export const MAX_COMPLETENESS_EVENTS = 10_000
/** An alert of missing transcripts: at least so many conversations, and so large a share of them. */
export const MIN_CONVERSATIONS = 10
export const MISSING_SHARE = 0.2

// What landed.
/** AEP's own counts are read at most so often: its failed batches appear about twenty minutes after. */
export const LANDED_INTERVAL_MS = 15 * 60_000
/** All of one reading, and one request of it. Alerts of the same run of the cron trigger wait so long at most. */
export const LANDED_TIMEOUT_MS = 20_000
export const LANDED_REQUEST_MS = 5_000
/** Failed rows of one reading, the file apart that holds the last of them: a row written each, in one transaction. */
export const LANDED_ROWS = 5_000
/** How far the first reading goes back. */
export const LANDED_FIRST_MS = DAY_MS
/** Settled hours over which AEP's counts are compared with what it acknowledged. */
export const LANDED_HOURS = 3
/** Before these hours: so far ahead a clock may have run by which we have counted. */
export const LANDED_BEFORE_MS = 6 * HOUR_MS
/** An hour in which AEP has refused nothing more ends the alert. */
export const LANDED_CLEAN_MS = HOUR_MS
/** AEP keeps the rows of failed batches so long. */
export const FAILURES_KEPT_MS = 30 * DAY_MS
/** Days, kinds and sources of which it is kept how many events AEP refused afterwards: some 60 kB, in one row. */
export const MAX_REFUSED_KEPT = 1_000

// Drift.
/** Differences from the documented shape that are reported of one event. */
export const MAX_DRIFT_FINDINGS = 50
/** Shapes of events that an isolate remembers; Chatlio's own are a few dozen. */
export const MAX_DRIFT_SHAPES = 1_000
/** New shapes looked at in one interval. */
export const MAX_DRIFT_LOOKS = 60
/** How often an isolate reports a difference that goes on, to count it. */
export const DRIFT_REPORT_INTERVAL_MS = 300_000
/** A field is gone that came in this share of so many events of its kind or more, and in none of the latest. */
export const DRIFT_GONE = { share: 0.95, of: 50, missed: 20 } as const
/** Events of a kind after which those before count half, for which fields come. */
export const DRIFT_MEMORY_EVENTS = 4_000
/** Which fields came is written no more often: a row each time. */
export const DRIFT_SAVE_MS = 60_000
/** Differences kept of one kind. */
export const MAX_DRIFT_ROWS_PER_KIND = 200
