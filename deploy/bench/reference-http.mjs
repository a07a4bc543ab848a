// Reference: the least that Node can do for a redirect. It knows no link and records nothing.
import { createServer } from 'node:http';
import { HEADERS } from './reference-answer.mjs';

createServer((_request, response) => {
  response.writeHead(302, HEADERS);
  response.end();
}).listen(Number(process.env.PORT), '127.0.0.1');
