// Reference: the least that Node can do for a checked body. It knows nobody and stores nothing.
import { Ajv } from 'ajv';
import { createServer } from 'node:http';
import { HEADERS, receiptOf, SCHEMA } from './reference-ingest.mjs';

const isValid = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (!isValid(body)) return void response.writeHead(400, { 'Content-Length': '0' }).end();
    const receipt = receiptOf(HEADERS['Baton-Receipt'], body.external_id);
    response.writeHead(202, { ...HEADERS, 'Content-Length': Buffer.byteLength(receipt) });
    response.end(receipt);
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
