import { run } from '@baton/platform';
import { compose } from './app.module';
import { Env } from './env';

void run({ service: 'conversion-ingest', env: Env, compose });
