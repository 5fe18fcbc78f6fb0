export const RECORDS_TABLES = ''
export const RECORDS_FROM_LAST_LAYOUT = ''
