/** ISO 4217, the codes in force: money only, no metals, funds or test codes. */
const CODES = new Set(
  (
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD ' +
    'EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD ' +
    'MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL ' +
    'THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG'
  ).split(' '),
);

export const isCurrency = (code: unknown): code is string => typeof code === 'string' && CODES.has(code);

/** Digits of the minor unit where they are not two. Source: ISO 4217, list one, as its maintenance agency SIX publishes it. */
const DIGITS: Readonly<Record<string, number>> = {
  ...Object.fromEntries('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0])),
  ...Object.fromEntries('BHD IQD JOD KWD LYD OMR TND'.split(' ').map((code) => [code, 3])),
};
export const minorDigits = (currency: string): number => DIGITS[currency] ?? 2;

const DECIMAL = /^(-?\d{1,13})(?:([.,])(\d{1,9}))?$/;

/**
 * A decimal such as `12.34` in minor units, or what is wrong with it. A comma is read only where the caller knows that it is no separator of
 * thousands; more digits than the currency has are refused, since `1.234` may be either. No float is involved.
 */
export function minorOfDecimal(text: string, currency: string, mayHaveComma: boolean): number | string {
  const [, whole, mark, fraction = ''] = DECIMAL.exec(text) ?? [];
  const digits = minorDigits(currency);
  if (whole === undefined || (mark === ',' && !mayHaveComma))
    return `"${text.slice(0, 40)}" is no amount: write it as ${digits === 0 ? '1234' : `1234.${'5678'.slice(0, digits)}`}, without a sign for thousands or for the currency`;
  if (fraction.length > digits)
    return `"${text.slice(0, 40)}" has ${fraction.length} digits behind its mark; ${currency} has ${digits === 0 ? 'none' : digits}`;
  return Number(`${whole}${fraction.padEnd(digits, '0')}`);
}
