import { parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { composeWorker } from './worker.module';
import type { WorkerSetup } from './worker.port';

void composeWorker(workerData as WorkerSetup, parentPort as MessagePort).start();
