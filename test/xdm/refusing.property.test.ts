/** AEP refuses everything, or single events: xdm, where the organization, the dataset or the schema can be wrong. */
import { refusingProperties } from '../worker/refusing.ts'

refusingProperties(
  [
    { variable: 'AEP_ORG_ID', setting: 'orgId', ours: 'LOCAL@AdobeOrg', other: 'OTHER@AdobeOrg' },
    { variable: 'AEP_DATASET_ID', setting: 'datasetId', ours: 'local-dataset', other: 'other' },
    {
      variable: 'AEP_SCHEMA_ID',
      setting: 'schemaId',
      ours: 'https://ns.adobe.com/localtenant/schemas/chatlio',
      other: 'https://ns.adobe.com/localtenant/schemas/other',
    },
  ],
  { mode: 'xdm', auth: true },
)
