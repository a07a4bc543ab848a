/** What a click was made on. `other`: a console, a television, a headset, or nothing that can be told. */
export type DeviceClass = 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other';
export type Os = 'ios' | 'android' | 'windows' | 'macos' | 'linux' | 'chromeos';

/** Neither a phone nor a desk, whatever system it runs on. */
const OTHER = /\btv\b|smart-?tv|smarttv|googletv|appletv|hbbtv|crkey|roku|\baft[a-z]|bravia|playstation|xbox|nintendo|oculusbrowser|quest/i;
/** `Tablet PC` stands in the user agents of desktops. Android's own browsers say "Mobile" on a phone, and Silk's on Amazon's phone. */
const TABLET = /ipad|tablet(?! pc)|kindle|playbook|\bkf[a-z]{2,5}\b|silk\/(?!.*mobile)|android(?!.*mobile)|puffin\/[\d.]+[ai]t/i;
const MOBILE = /iphone|ipod|mobile|phone|opera mini|opera mobi|blackberry|\bbb10\b|kaios|symbian|j2me|midp|webos|maemo/i;
/** Apps without a web view: `Dalvik` and `okhttp` never say "Mobile", phone or not; most are phones. */
const APP_ON_ANDROID = /^(?!mozilla).*(?:dalvik|android)/i;
const DESKTOP = /windows|win(?:9[58]|32|64)|macintosh|mac os x|\bx11\b|\bcros\b|linux|bsd|haiku|sunos/i;

/** Of a person's user agent. An iPad that asks for desktop pages says "Macintosh", and is taken for one: nothing in the text tells them apart. */
export function deviceOf(userAgent: string): DeviceClass {
  if (OTHER.test(userAgent)) return 'other';
  if (APP_ON_ANDROID.test(userAgent)) return /tablet/i.test(userAgent) ? 'tablet' : 'mobile';
  if (TABLET.test(userAgent)) return 'tablet';
  if (MOBILE.test(userAgent)) return 'mobile';
  return DESKTOP.test(userAgent) ? 'desktop' : 'other';
}

/** Null: another one, or none that can be told. The order matters: Windows Phone also says Android and iPhone, Android says Linux, iOS says Mac OS X. */
export function osOf(userAgent: string): Os | null {
  if (/windows|win(?:9[58]|32|64)\b/i.test(userAgent)) return 'windows';
  if (/iphone|ipad|ipod|\bios[ /]\d/i.test(userAgent)) return 'ios';
  if (/openharmony|kaios|tizen|webos|web0s/i.test(userAgent)) return null;
  if (/android|\bdalvik/i.test(userAgent)) return 'android';
  if (/\bcros\b/i.test(userAgent)) return 'chromeos';
  if (/macintosh|mac os x|macos|mac_powerpc/i.test(userAgent)) return 'macos';
  return /linux|ubuntu|fedora/i.test(userAgent) ? 'linux' : null;
}
