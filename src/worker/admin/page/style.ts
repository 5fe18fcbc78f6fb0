/** The page's style: system fonts, light and dark by `light-dark()`, from 320 px up. Served as it stands. */
export const STYLE = `:root{color-scheme:light dark;
--bg:light-dark(#fff,#121518);--card:light-dark(#f5f7f9,#1b1f24);--fg:light-dark(#1c2126,#e4e7ea);
--soft:light-dark(#57606a,#9da7b1);--line:light-dark(#d4dae0,#363d45);--link:light-dark(#0757c2,#80b8ff);
--ok:light-dark(#1a7f37,#3fb950);--wait:light-dark(#2472d8,#58a6ff);--warn:light-dark(#8a5a00,#e3b341);
--bad:light-dark(#c0272d,#ff7b72);--off:light-dark(#8a939c,#77818b);--lost:light-dark(#7a3cc9,#c297ff)}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--fg);font:1rem/1.5 system-ui,sans-serif}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
h1{font-size:1.4rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:1.1rem;margin:1.25rem 0 .35rem}
h3{font-size:1rem}
h3,.card h2{margin:0}
p,ul,ol,dl{margin:.5rem 0}
header,main{max-width:90rem;margin:auto;padding:.6rem 1rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;align-items:start;border-bottom:1px solid var(--line)}
.which{margin:0;flex:1 1 0;min-width:0;overflow-wrap:anywhere}
.env{display:inline-block;border:1px solid var(--line);border-radius:.3rem;padding:0 .4rem}
.other{background:var(--warn);border-color:var(--warn);color:var(--bg)}
nav{flex:1 0 100%}
nav ul,.row,.legend{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;list-style:none;padding:0;margin:0}
nav ul{gap:0 1rem}
nav a{display:inline-block;padding:.3rem 0;text-decoration:none}
nav a[aria-current]{color:var(--fg);font-weight:600;box-shadow:inset 0 -2px var(--link)}
main{padding-top:.75rem}
small,.soft,dt,caption,figcaption{color:var(--soft);font-size:.875rem}
.skip,.vh{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}
.skip:focus{clip-path:none;width:auto;height:auto;padding:.5rem;background:var(--bg)}
.card,.flash{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:.75rem 0}
.flash,.ok,.warn,.bad{border-left:.35rem solid var(--link)}
.ok{border-left-color:var(--ok)}.warn{border-left-color:var(--warn)}.bad{border-left-color:var(--bad)}
button,.b,input,select{font:inherit;color:inherit;min-height:2.4rem;padding:.3rem .75rem;border:1px solid var(--soft);border-radius:.4rem;background:var(--bg);max-width:100%}
button,.b{cursor:pointer;display:inline-flex;align-items:center;text-decoration:none}
button:hover,.b:hover{background:var(--card)}
.main{background:var(--link);border-color:var(--link);color:var(--bg)}
.main:hover{background:var(--fg)}
.no{color:var(--bad);border-color:var(--bad)}
.plain{border:0;padding:0;min-height:0;background:none;color:var(--link);text-decoration:underline}
label{display:grid;gap:.15rem;font-size:.875rem;color:var(--soft);flex:1 1 11rem;max-width:22rem}
label>*{font-size:1rem;color:var(--fg);width:100%}
.row{margin:.75rem 0}
form.row{align-items:end}form.row>a{padding:.45rem 0}
#some{position:sticky;bottom:0;background:var(--bg)}main:not(:has(td :checked)) #some{display:none}
.eq{margin:0;gap:.35rem 1rem;display:grid;grid-template-columns:repeat(auto-fit,minmax(6.2rem,1fr));align-items:end}
.eq dd{margin:0;font-size:1.2rem}
.eq dd,.n,.at{font-variant-numeric:tabular-nums}
th.n,.n{text-align:right}
.n,.at{white-space:nowrap}
.n+:not(.n){padding-left:.75rem}
.desk{display:grid;gap:0 2rem;grid-template-columns:1fr}
.desk>*{min-width:0}
.tight{font-size:.9375rem}
.tight td,.tight th{padding-top:.2rem;padding-bottom:.2rem;vertical-align:middle;min-width:0}
.tight button,.tight .b{min-height:1.75rem;padding:.05rem .5rem}
.tight form{display:inline-block}
.acts{white-space:nowrap}
input[type=checkbox]{min-height:1.2rem;width:1.2rem;padding:0;margin:.2rem 0}
.scroll{overflow-x:auto;margin-top:.75rem;background:linear-gradient(90deg,var(--bg) 1rem,#0000 2rem) 0/50% local,linear-gradient(-90deg,var(--bg) 1rem,#0000 2rem) 100%/50% local,linear-gradient(90deg,var(--soft),#0000 .5rem),linear-gradient(-90deg,var(--soft),#0000 .5rem);background-repeat:no-repeat}h2+.scroll{margin:0}
table{border-collapse:collapse;width:100%}
caption{text-align:left;padding-bottom:.25rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-bottom:1px solid var(--line)}
thead th{font-size:.875rem;color:var(--soft)}
th{font-weight:400}
th,td{overflow-wrap:break-word;min-width:5.5rem}
code,pre{font:.875rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;margin:.5rem 0;padding:.75rem;background:var(--card);border:1px solid var(--line);border-radius:.4rem;max-height:40rem;overflow:auto}
mark{background:none;color:var(--bad)}
figure{margin:.5rem 0;position:relative}
svg{display:block;width:100%;height:100%}
.plot{display:grid;grid-template-columns:auto 1fr;gap:0 .5rem}
.y{display:flex;flex-direction:column;justify-content:space-between;align-items:end}
.bars{display:grid;grid:100%/repeat(24,1fr);height:5rem;border-bottom:1px solid var(--line)}
.bars>:hover,.bars>:focus-visible{background:var(--line)}
.tip{position:absolute;inset:0 0 auto;clip-path:inset(50%);pointer-events:none;background:var(--bg);color:var(--fg)}
.bars>:hover .tip,.bars>:focus-visible .tip{clip-path:none}
.x{grid-column:2;display:grid;grid-template-columns:repeat(4,1fr)}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:.15rem;margin-right:.35rem}
.f0{fill:var(--ok);background:var(--ok)}.f1{fill:var(--wait);background:var(--wait)}
.f2{fill:var(--bad);background:var(--bad)}.f3{fill:var(--lost);background:var(--lost)}
.f4{fill:var(--off);background:var(--off)}
.story{padding-left:2rem}.story li{margin:.4rem 0}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--link)}
@media(min-width:64rem){.even{table-layout:fixed}.even th:first-child,.even th:nth-child(2){width:29%}.desk{grid-template-columns:minmax(0,1fr) 22rem}}
@media(min-width:48rem){.card code{display:inline-block}}
@media(max-width:40rem){h1{font-size:1.25rem}.year{display:none}.tight:not(.flat) thead{display:none}.tight:not(.flat) tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}
.tight:not(.flat) td,.tight:not(.flat) th{display:inline-block;border:0;text-align:left;padding:.1rem .75rem .1rem 0}.tight:not(.flat) .wide,.tight:not(.flat) td:empty{display:none}}
@media(max-width:48rem){label{flex-basis:8rem}label:has([name=value]){flex-basis:14rem}select{padding-inline:.4rem 0}th,td{padding-right:.5rem}}
`
