export const ALERTS_TABLES = ''
export const ALERTS_FROM_LAST_LAYOUT = ''
