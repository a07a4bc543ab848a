import { type AndroidApp, type AppleApp, type AppLinkComponent, appLinkComponents, FINGERPRINT, HOST } from '@baton/contracts';

/** What `/.well-known/apple-app-site-association` says. */
export interface AppleAssociation {
  readonly applinks: { readonly details: readonly { readonly appIDs: readonly string[]; readonly components: AppLinkComponent[] }[] };
}

/** One statement of `/.well-known/assetlinks.json`. */
export interface AssetStatement {
  readonly relation: readonly string[];
  readonly target: { readonly namespace: 'android_app'; readonly package_name: string; readonly sha256_cert_fingerprints: string[] };
}

/** Null where the domain has no app: there is nothing to say then. */
export function appleAssociation(apps: readonly AppleApp[]): AppleAssociation | null {
  const details = apps.map(({ appId, paths }) => ({ appIDs: [appId], components: appLinkComponents(paths) }));
  return details.length === 0 ? null : { applinks: { details } };
}

/** One malformed fingerprint spoils the whole file for its readers, so it is left out, and an app without any with it. Null: nothing to say. */
export function assetStatements(apps: readonly AndroidApp[]): AssetStatement[] | null {
  const statements = apps.flatMap(({ package: name, fingerprints }): AssetStatement[] => {
    const good = fingerprints.map((text) => text.trim().toUpperCase()).filter((text) => FINGERPRINT.test(text));
    if (good.length === 0) return [];
    return [
      {
        relation: ['delegate_permission/common.handle_all_urls'],
        target: { namespace: 'android_app', package_name: name, sha256_cert_fingerprints: good },
      },
    ];
  });
  return statements.length === 0 ? null : statements;
}

/** The host that a `Host` header names: lower case, without port and final dot. Null when it is none that a domain can have. It is looked up, and builds nothing. */
export function hostIn(header: string | undefined): string | null {
  const host = (header ?? '')
    .toLowerCase()
    .replace(/:\d{0,5}$/, '')
    .replace(/\.$/, '');
  return HOST.test(host) ? host : null;
}
