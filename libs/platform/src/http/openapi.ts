import { REASON_CODES } from '@baton/contracts';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Composition } from '../run/run';
import type { Http } from './http';

/** `/openapi.json`, made when it is first asked for. */
export function describeApi(http: Http, about: NonNullable<Composition['openApi']>): void {
  const config = new DocumentBuilder().setTitle(about.title).setDescription(about.description).setVersion('1').addBearerAuth().build();
  const described = (): object => {
    const made = SwaggerModule.createDocument(http, config);
    const paths = withProblems({ ...made.paths, ...about.paths });
    const components = {
      ...made.components,
      schemas: { ...made.components?.schemas, Problem: PROBLEM },
      responses: { Problem: PROBLEM_ANSWER },
    };
    return withoutEmptyRequired({ ...made, paths, components, tags: tagsOf(paths).map((name) => ({ name })) });
  };
  let document: object | undefined;
  http
    .getHttpAdapter()
    .getInstance()
    .get('/openapi.json', (_request, reply) => reply.send((document ??= described())));
}

/** OpenAPI 3.0 wants `required` to name something, or not to be there. */
function withoutEmptyRequired<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutEmptyRequired) as T;
  const kept = Object.entries(value).filter(([key, child]) => !(key === 'required' && Array.isArray(child) && child.length === 0));
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutEmptyRequired(child)])) as T;
}

const tagsOf = (paths: Paths): string[] => [
  ...new Set(Object.values(paths).flatMap((path) => Object.values(path).flatMap(({ tags = [] }) => tags))),
];

type Operation = { readonly tags?: string[]; readonly responses?: Record<string, { readonly description?: string }> };
type Paths = Record<string, Record<string, Operation>>;

const PROBLEM = {
  type: 'object',
  description: 'RFC 9457, with a reason code of a closed list.',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', example: 'urn:baton:problem:malformed' },
    title: { type: 'string', description: 'What the code means, always the same.' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string', description: 'What was wrong this time, and what to do.' },
    code: { type: 'string', enum: Object.keys(REASON_CODES) },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'problem'],
        properties: { field: { type: 'string', example: 'line_items[2].quantity' }, problem: { type: 'string' } },
      },
    },
    receipt_id: {
      type: 'string',
      format: 'uuid',
      description: 'Where the refusal was stored: GET /v1/receipts/{id} tells it for 30 days.',
    },
    request_id: { type: 'string' },
  },
};

const PROBLEM_ANSWER = {
  description: 'A problem, by its code. 429 and 503 say in Retry-After when to come again.',
  headers: {
    'Baton-Reason': { description: 'The code once more.', schema: { type: 'string' } },
    'Retry-After': { description: 'Seconds; of 429 and 503.', schema: { type: 'integer' } },
  },
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

/** Whatever is asked may be refused. */
function withProblems(paths: object): Paths {
  const described = (operation: Operation): Operation => {
    const responses = Object.entries(operation.responses ?? {}).map(([status, one]) => [
      status,
      '$ref' in one ? one : { ...one, description: one.description || 'Done.' },
    ]);
    return { ...operation, responses: { default: { $ref: '#/components/responses/Problem' }, ...Object.fromEntries(responses) } };
  };
  return Object.fromEntries(
    Object.entries(paths as Paths).map(([path, operations]) => [
      path,
      Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, described(operation)])),
    ]),
  );
}
