import { defineEvent } from '../define';
import { ListOf, Optional, Pattern, Text, TextList } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, entityKey } from './entity';
import { ANDROID_PACKAGE } from './program';

/** A host name in lower case, without a port. */
export const HOST = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/;

/** What `/.well-known/apple-app-site-association` says of one app. */
export class AppleApp {
  /** Team id and bundle id. */
  @Pattern(/^[A-Z0-9]{10}\.[A-Za-z0-9.-]{1,155}$/) appId!: string;
  /** Patterns of paths that open the app; left out: all links. */
  @Optional() @TextList(100, 255) paths?: string[] | null;
}

/** What `/.well-known/assetlinks.json` says of one app. */
export class AndroidApp {
  @Pattern(ANDROID_PACKAGE) package!: string;
  /** SHA-256 of the signing certificates, `6C:C1:…`. */
  @TextList(20, 95) fingerprints!: string[];
}

export class DomainData extends Entity {
  /** Unique over all tenants. Under it only this tenant's links are found. */
  @Pattern(HOST) host!: string;
  /** Where the bare domain leads. */
  @Optional() @Text(2048) rootUrl?: string | null;
  @Optional() @ListOf(() => AppleApp, 20) appleApps?: AppleApp[] | null;
  @Optional() @ListOf(() => AndroidApp, 20) androidApps?: AndroidApp[] | null;
}

/** A tenant's own domain for links. */
export const DomainChanged = defineEvent<DomainData>({
  type: 'catalog.domain',
  version: 1,
  topic: TOPICS.catalog,
  schema: DomainData,
  keyOf: entityKey('domain'),
  idOf: entityId('domain'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '66666666-6666-4666-8666-666666666666',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    host: 'go.shop.example',
  },
});
