/** What a click was made on. `other`: a console, a television, a headset, or nothing that can be told. */
export type DeviceClass = 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other';
export type Os = 'ios' | 'android' | 'windows' | 'macos' | 'linux' | 'chromeos';

const WINDOWS_PHONE = /windows phone|iemobile/i;
/** Neither a phone nor a desk, whatever system it runs on. */
const OTHER =
  /\btv\b|smart-?(?:tv|hub)|(?:google|apple|fubo)tv|hbbtv|vizio|web0s|crkey|roku|; ?aft[a-z]|bravia|playstation|xbox|nintendo|oculusbrowser|; quest /i;
/** Apps without a web view: `Dalvik` and `okhttp` never say "Mobile", phone or not; most are phones. */
const APP_ON_ANDROID = /^(?!mozilla).*(?:dalvik|android|fb4a)/i;
/** `Tablet PC` stands in the user agents of desktops. */
const TABLET = /ipad|tablet(?! pc)|kindle|playbook|\bkf[a-z]{2,5}\b|puffin\/[\d.]+[ai]t/i;
/** On phones they say "Mobile", anywhere: apps add "Android" once more behind it. */
const TABLET_UNLESS_MOBILE = /^(?!.*mobile).*(?:android|silk\/)/i;
const MOBILE = /iphone|ipod|mobile|phone|opera mini|opera mobi|blackberry|\bbb10\b|kaios|symbian|j2me|midp|up\.browser|webos|maemo/i;
const DESKTOP = /windows|win(?:9[58]|32|64)|macintosh|mac os x|mac_powerpc|\bx11\b|\bcros\b|linux|bsd|haiku|sunos/i;

/** Of a person's user agent. An iPad that asks for desktop pages says "Macintosh", and is taken for one: nothing in the text tells them apart. */
export function deviceOf(userAgent: string): DeviceClass {
  if (WINDOWS_PHONE.test(userAgent)) return 'mobile';
  if (OTHER.test(userAgent)) return 'other';
  if (APP_ON_ANDROID.test(userAgent)) return /tablet/i.test(userAgent) ? 'tablet' : 'mobile';
  if (TABLET.test(userAgent) || TABLET_UNLESS_MOBILE.test(userAgent)) return 'tablet';
  if (MOBILE.test(userAgent)) return 'mobile';
  return DESKTOP.test(userAgent) ? 'desktop' : 'other';
}

/** Null: another one, or none that can be told. The order matters: Windows Phone also says Android and iPhone, Android says Linux, iOS says Mac OS X. */
export function osOf(userAgent: string): Os | null {
  if (/windows|win(?:9[58]|32|64)\b/i.test(userAgent)) return 'windows';
  if (/iphone|ipad|ipod|\bios[ /]\d/i.test(userAgent)) return 'ios';
  if (/openharmony|kaios|tizen|webos|web0s/i.test(userAgent)) return null;
  if (/android|\bdalvik|fb4a/i.test(userAgent)) return 'android';
  if (/\bcros\b/i.test(userAgent)) return 'chromeos';
  if (/macintosh|mac os x|macos|mac_powerpc/i.test(userAgent)) return 'macos';
  return /linux|ubuntu|fedora/i.test(userAgent) ? 'linux' : null;
}
