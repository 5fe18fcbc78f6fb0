/**
 * English country names to ISO 3166-1 alpha-2: the name in common use, and others that databases of IP
 * addresses are seen to use. Data of our own rather than `Intl.DisplayNames`: whose names change with the
 * runtime ("Turkey", "Türkiye"), and which also knows regions that are no countries of the standard.
 */

/** Code, name, other names; lower case, without accents, "&", "the" and "st." as `plain` writes them. */
const COUNTRIES = `
AD andorra/AE united arab emirates/uae/AF afghanistan/AG antigua and barbuda/AI anguilla/AL albania/AM armenia/
AO angola/AQ antarctica/AR argentina/AS american samoa/AT austria/AU australia/AW aruba/AX aland islands/aland/
AZ azerbaijan/BA bosnia and herzegovina/bosnia/BB barbados/BD bangladesh/BE belgium/BF burkina faso/BG bulgaria/
BH bahrain/BI burundi/BJ benin/BL saint barthelemy/BM bermuda/BN brunei/brunei darussalam/BO bolivia/
BQ caribbean netherlands/BR brazil/BS bahamas/BT bhutan/BV bouvet island/
BW botswana/BY belarus/BZ belize/CA canada/CC cocos (keeling) islands/cocos islands/
CD democratic republic of congo/dr congo/congo - kinshasa/CF central african republic/
CG republic of congo/congo republic/congo - brazzaville/CH switzerland/CI ivory coast/cote d'ivoire/
CK cook islands/CL chile/CM cameroon/CN china/CO colombia/CR costa rica/CU cuba/CV cape verde/cabo verde/
CW curacao/CX christmas island/CY cyprus/CZ czechia/czech republic/DE germany/DJ djibouti/DK denmark/DM dominica/
DO dominican republic/DZ algeria/EC ecuador/EE estonia/EG egypt/EH western sahara/ER eritrea/ES spain/ET ethiopia/
FI finland/FJ fiji/FK falkland islands/FM micronesia/federated states of micronesia/FO faroe islands/FR france/
GA gabon/GB united kingdom/uk/great britain/GD grenada/GE georgia/GF french guiana/GG guernsey/GH ghana/
GI gibraltar/GL greenland/GM gambia/GN guinea/GP guadeloupe/GQ equatorial guinea/GR greece/
GS south georgia and south sandwich islands/GT guatemala/GU guam/GW guinea-bissau/GY guyana/HK hong kong/
HM heard and mcdonald islands/HN honduras/HR croatia/HT haiti/HU hungary/ID indonesia/IE ireland/IL israel/
IM isle of man/IN india/IO british indian ocean territory/IQ iraq/IR iran/IS iceland/IT italy/JE jersey/JM jamaica/
JO jordan/hashemite kingdom of jordan/JP japan/KE kenya/KG kyrgyzstan/KH cambodia/KI kiribati/KM comoros/
KN saint kitts and nevis/KP north korea/KR south korea/republic of korea/KW kuwait/KY cayman islands/KZ kazakhstan/
LA laos/LB lebanon/LC saint lucia/LI liechtenstein/LK sri lanka/LR liberia/LS lesotho/LT lithuania/
republic of lithuania/LU luxembourg/LV latvia/LY libya/MA morocco/MC monaco/MD moldova/republic of moldova/
ME montenegro/MF saint martin/MG madagascar/MH marshall islands/MK north macedonia/macedonia/ML mali/
MM myanmar/burma/myanmar (burma)/MN mongolia/MO macao/macau/MP northern mariana islands/MQ martinique/
MR mauritania/MS montserrat/MT malta/MU mauritius/MV maldives/MW malawi/MX mexico/MY malaysia/MZ mozambique/
NA namibia/NC new caledonia/NE niger/NF norfolk island/NG nigeria/NI nicaragua/NL netherlands/holland/NO norway/
NP nepal/NR nauru/NU niue/NZ new zealand/OM oman/PA panama/PE peru/PF french polynesia/PG papua new guinea/
PH philippines/PK pakistan/PL poland/PM saint pierre and miquelon/PN pitcairn islands/pitcairn/PR puerto rico/
PS palestine/palestinian territory/palestinian territories/PT portugal/PW palau/PY paraguay/QA qatar/RE reunion/
RO romania/RS serbia/RU russia/russian federation/RW rwanda/SA saudi arabia/SB solomon islands/SC seychelles/
SD sudan/SE sweden/SG singapore/SH saint helena/SI slovenia/SJ svalbard and jan mayen/SK slovakia/
slovak republic/SL sierra leone/SM san marino/SN senegal/SO somalia/SR suriname/SS south sudan/
ST sao tome and principe/SV el salvador/SX sint maarten/SY syria/SZ eswatini/swaziland/TC turks and caicos islands/
TD chad/TF french southern territories/TG togo/TH thailand/TJ tajikistan/TK tokelau/TL timor-leste/east timor/
TM turkmenistan/TN tunisia/TO tonga/TR turkey/turkiye/TT trinidad and tobago/TV tuvalu/TW taiwan/TZ tanzania/
UA ukraine/UG uganda/UM u.s. outlying islands/US united states/usa/united states of america/UY uruguay/
UZ uzbekistan/VA vatican city/holy see/VC saint vincent and grenadines/VE venezuela/VG british virgin islands/
VI u.s. virgin islands/us virgin islands/VN vietnam/viet nam/VU vanuatu/WF wallis and futuna/WS samoa/YE yemen/
YT mayotte/ZA south africa/ZM zambia/ZW zimbabwe`

const codes = new Map<string, string>()
let code = ''
for (const entry of COUNTRIES.replaceAll('\n', '').split('/')) {
  const named = /^([A-Z]{2}) (.+)$/.exec(entry)
  code = named?.[1] ?? code
  codes.set(named?.[2] ?? entry, code)
}

export function countryCode(name: string): string | undefined {
  return codes.get(normalizedName(name))
}

function normalizedName(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll('’', "'")
    .replace(/\bthe /g, '')
    .replaceAll(' & ', ' and ')
    .replace(/^st\.? /, 'saint ')
}
