import { CONVERSION_COLUMNS } from './domain';

const KINDS = ['accepted', 'duplicate', 'rejected', 'validated'];
const counts = Object.fromEntries(['rows', ...KINDS].map((name) => [name, { type: 'integer' }]));
const inQuery = (name: string, description: string, schema: object): object => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});
const problems = {
  type: 'array',
  items: { type: 'object', properties: { field: { type: 'string' }, problem: { type: 'string' }, column: { type: 'string' } } },
};

const ROW = {
  type: 'object',
  required: ['row', 'line', 'status', 'verdict', 'reason', 'receipt_id'],
  properties: {
    row: { type: 'integer', minimum: 1, description: 'Neither the header nor empty lines count' },
    line: { type: 'integer', minimum: 1, description: 'Of the file, on which the row begins' },
    status: { type: 'integer', example: 201, description: 'What a single request would have been answered' },
    verdict: { type: 'string', enum: KINDS },
    reason: { type: 'string' },
    receipt_id: { type: 'string', format: 'uuid', nullable: true },
    detail: { type: 'string', description: 'Of a rejected row, with line and column' },
    errors: problems,
  },
};
const END = {
  type: 'object',
  required: ['done'],
  properties: {
    done: { type: 'boolean' },
    ...counts,
    code: { type: 'string', description: 'Where done is false' },
    resume_from: { type: 'integer', description: 'Where done is false: the first row that may not be stored' },
  },
};
const PROGRESS = { type: 'object', required: ['progress'], properties: { progress: { type: 'object', properties: counts } } };

/** The one route that Nest does not know. */
export const BULK_PATHS = (): Record<string, object> => ({
  '/v1/conversions:bulk': {
    post: {
      operationId: 'ConversionBulk_upload',
      tags: ['facts'],
      summary: 'A file of conversions of any length, answered while it is read',
      description:
        'A row is what POST /v1/conversions takes, and is answered as it would have been alone. A CSV names its columns in its first line: ' +
        `${CONVERSION_COLUMNS.join(', ')}. An amount is a decimal in major units, amount_minor a whole number of minor units. Columns reason and detail are passed over. ` +
        'Read the answer while you send: rows are taken no faster than their verdicts are read. Repeating an upload does no harm: what was stored is a duplicate.',
      security: [{ bearer: [] }],
      parameters: [
        inQuery('verdicts', 'rejected leaves out the good rows', { type: 'string', enum: ['all', 'rejected'], default: 'all' }),
        inQuery('validate_only', 'Check every row, store nothing', { type: 'boolean', default: false }),
        inQuery('resume_from', 'Pass over the rows before it', { type: 'integer', minimum: 1, default: 1 }),
      ],
      requestBody: {
        required: true,
        content: {
          'application/x-ndjson': { schema: { $ref: '#/components/schemas/ConversionBody' } },
          'text/csv': { schema: { type: 'string', example: 'external_id,customer_id,amount,currency,metadata.plan' } },
        },
      },
      responses: {
        200: {
          description: 'A line for each row in its order, a line of progress now and then, and a last line that says whether it was all',
          content: { 'application/x-ndjson': { schema: { oneOf: [ROW, PROGRESS, END] } } },
        },
      },
    },
  },
});
