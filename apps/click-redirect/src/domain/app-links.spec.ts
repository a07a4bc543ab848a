import { FINGERPRINT, opensApp } from '@baton/contracts';
import { appleAssociation, assetStatements, hostIn } from './app-links';

const fingerprint = '6C:C1:95:57:69:FF:1D:4B:2E:79:C2:49:8D:61:CC:10:95:89:0C:4D:67:37:E9:51:81:91:56:97:EF:FE:E5:B3';

describe('the files that tie a domain to its apps', () => {
  it('say to Apple which links open the app, in the shape that it reads', () => {
    expect(appleAssociation([{ appId: 'ABCDE12345.com.example.app' }])).toEqual({
      applinks: {
        details: [{ appIDs: ['ABCDE12345.com.example.app'], components: [{ '#': 'no_universal_links', exclude: true }, { '/': '/r/*' }] }],
      },
    });
  });

  it('keep apps and their paths apart', () => {
    const details = appleAssociation([
      { appId: 'ABCDE12345.com.example.app', paths: ['/r/shop-*'] },
      { appId: 'ABCDE12345.com.example.other', paths: ['/r/news-?', '/n/*'] },
    ])?.applinks.details;
    expect(details?.map(({ components }) => opensApp(components, 'https://go.example/r/news-1'))).toEqual([false, true]);
    expect(details?.map(({ components }) => opensApp(components, 'https://go.example/r/news-1#no_universal_links'))).toEqual([
      false,
      false,
    ]);
  });

  it('say to Android which certificates sign the app', () => {
    expect(assetStatements([{ package: 'com.example.app', fingerprints: [fingerprint] }])).toEqual([
      {
        relation: ['delegate_permission/common.handle_all_urls'],
        target: { namespace: 'android_app', package_name: 'com.example.app', sha256_cert_fingerprints: [fingerprint] },
      },
    ]);
  });

  it('leave out a fingerprint that would spoil the file, and an app without one', () => {
    const [statement, ...more] =
      assetStatements([
        { package: 'com.example.app', fingerprints: ['sha256', ` ${fingerprint.toLowerCase()}`, fingerprint.replaceAll(':', '')] },
        { package: 'com.example.other', fingerprints: ['none'] },
      ]) ?? [];
    expect(more).toEqual([]);
    expect(statement?.target.sha256_cert_fingerprints).toEqual([fingerprint]);
    expect(statement?.target.sha256_cert_fingerprints.every((text) => FINGERPRINT.test(text))).toBe(true);
  });

  it('say nothing where there is no app', () => {
    expect([appleAssociation([]), assetStatements([]), assetStatements([{ package: 'com.example.app', fingerprints: [] }])]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it.each([
    ['go.shop.example', 'go.shop.example'],
    ['GO.Shop.Example:8443', 'go.shop.example'],
    ['go.shop.example.', 'go.shop.example'],
    ['go.shop.example:', 'go.shop.example'],
    ['[::1]:80', null],
    ['localhost', null],
    ['go.shop.example/..', null],
    ['a@go.shop.example', null],
    ['go.shop.example, other.example', null],
    ['', null],
    [undefined, null],
  ])('the header %s names the host %s', (header, host) => expect(hostIn(header)).toBe(host));
});
