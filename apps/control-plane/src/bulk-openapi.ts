import { schemaOf } from '@baton/contracts';
import { openApiSchema } from './edge';
import { LinkBody } from './link.controller';

const counts = { rows: { type: 'integer' }, created: { type: 'integer' }, exists: { type: 'integer' }, rejected: { type: 'integer' } };
const inQuery = (name: string, description: string, schema: object): object => ({
  name,
  in: 'query',
  required: false,
  description,
  schema,
});
const stream = (schema: object): object => ({ 'application/x-ndjson': { schema } });

/** The one route that Nest does not know. */
export const BULK_PATHS = (): Record<string, object> => ({
  '/v1/links:bulk': {
    post: {
      operationId: 'LinkBulk_import',
      tags: ['links'],
      summary: 'Links in bulk: an upload of any length, answered while it is read',
      description:
        'A row is what POST /v1/links takes, at most 65,536 characters; sub ids may stand in columns of their own (sub1 to sub99, sid, sub_ids.<name>), and the UTM choice in utm_source, utm_campaign, utm_term. ' +
        'Read the answer while you send: rows are taken no faster than their verdicts are read. Repeating an upload does no harm: rows are recognised by id, by slug, or by the Idempotency-Key and their place.',
      security: [{ bearer: [] }],
      parameters: [
        {
          name: 'Baton-Tenant',
          in: 'header',
          required: false,
          description: 'For the operator: the tenant to act for',
          schema: { type: 'string' },
        },
        {
          name: 'Idempotency-Key',
          in: 'header',
          required: false,
          description: 'Names the upload',
          schema: { type: 'string', maxLength: 200 },
        },
        inQuery('verdicts', 'rejected leaves out the good rows', { type: 'string', enum: ['all', 'rejected'], default: 'all' }),
        inQuery('dry_run', 'Check every row, store nothing', { type: 'boolean', default: false }),
        inQuery('resume_from', 'Pass over the rows before it', { type: 'integer', minimum: 1, default: 1 }),
      ],
      requestBody: {
        required: true,
        content: {
          ...stream(openApiSchema(schemaOf(LinkBody))),
          'text/csv': { schema: { type: 'string', example: 'program_id,partner_id,destination,slug,sub1' } },
        },
      },
      responses: {
        200: {
          description: 'A line for each row in its order, a line of progress now and then, and a last line that says whether it was all',
          content: stream({
            oneOf: [
              {
                type: 'object',
                required: ['row', 'status'],
                properties: {
                  row: { type: 'integer', minimum: 1 },
                  status: { type: 'string', enum: ['created', 'exists', 'rejected'] },
                  id: { type: 'string', format: 'uuid' },
                  slug: { type: 'string' },
                  number: { type: 'integer' },
                  share_url: { type: 'string' },
                  code: { type: 'string' },
                  problems: {
                    type: 'array',
                    items: { type: 'object', properties: { field: { type: 'string' }, problem: { type: 'string' } } },
                  },
                },
              },
              { type: 'object', required: ['progress'], properties: { progress: { type: 'object', properties: counts } } },
              {
                type: 'object',
                required: ['done'],
                properties: {
                  done: { type: 'boolean' },
                  ...counts,
                  catalog_version: {
                    type: 'integer',
                    nullable: true,
                    description: 'Whoever has read the catalog up to it knows every link',
                  },
                  code: { type: 'string', description: 'Where done is false' },
                  resume_from: { type: 'integer', description: 'Where done is false: the first row that may not be stored' },
                },
              },
            ],
          }),
        },
      },
    },
  },
});
