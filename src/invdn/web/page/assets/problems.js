// What the service says of a photograph, in the language of the page. The service speaks English, by
// RFC 9457; what it says most often has a sentence here, the rest that of its kind.

import { language } from "./texts.js";

const KNOWN = "ein JPEG, PNG, TIFF, WebP, AVIF, JPEG XL, HEIC oder ein Rohbild";
const CAMERA = "es ist beschädigt, oder Kamera oder Kompression werden nicht unterstützt";

/** Kind of a problem -> sentence. */
const GERMAN_KINDS = {
  "bad-request": "Die Anfrage ist nicht zu verstehen; laden Sie die Seite neu",
  unauthorized: "Das Kennwort fehlt oder ist falsch; laden Sie die Seite neu und geben Sie es ein",
  forbidden: "Diese Seite darf den Dienst nicht benutzen",
  "not-found": "Der Dienst hat es nicht mehr; fügen Sie die Datei neu hinzu",
  "method-not-allowed": "Das geht hier nicht",
  timeout: "Das Foto kam zu langsam an; versuchen Sie es noch einmal",
  "not-ready": "Es gibt noch kein Ergebnis",
  "too-large": "Das Foto ist zu groß für diesen Dienst; der Befehl „invdn denoise“ nimmt es",
  unsupported: `Das ist kein Foto, das gelesen werden kann; nehmen Sie ${KNOWN}`,
  misdirected: "Der Dienst hört nicht auf diesen Namen; rufen Sie ihn über seine IP-Adresse auf",
  invalid: "Das Foto oder eine Einstellung ist nicht zu gebrauchen",
  "worker-crashed": "An diesem Foto sind zwei Prozesse zerbrochen; es ist vielleicht beschädigt oder braucht zu viel Speicher",
  "queue-full": "Es warten schon zu viele Fotos; versuchen Sie es gleich noch einmal",
  "too-many-attempts": "Zu viele falsche Kennwörter; warten Sie eine Minute",
  internal: "Im Dienst ist ein Fehler aufgetreten; sein Protokoll sagt, warum",
  unavailable: "Der Dienst kann das gerade nicht annehmen; versuchen Sie es später noch einmal",
  "worker-died": "Die Arbeit wurde unerwartet beendet; versuchen Sie es noch einmal",
  "too-long": "Die Arbeit hat zu lange gedauert; wählen Sie eine schnellere Qualität",
};

/** English -> German, of whole sentences. */
const GERMAN = [
  ["the file is damaged or cut short; fetch it again from where it came from(?: \\(.*\\))?", "Die Datei ist beschädigt oder abgeschnitten; holen Sie sie noch einmal von dort, wo sie herkam"],
  ["the file is cut short: it ends after (\\d+) bytes, .*", "Die Datei ist abgeschnitten: sie endet nach $1 Bytes; holen Sie sie noch einmal von dort, wo sie herkam"],
  ["the file is empty; .*", "Die Datei ist leer; holen Sie sie noch einmal von dort, wo sie herkam"],
  ["it is no picture of a known format; .*", `Das ist kein Bild eines bekannten Formats; nehmen Sie ${KNOWN}`],
  ["it is an? (PDF|Photoshop|XML) document; .*", `Das ist ein $1-Dokument; nehmen Sie ${KNOWN}`],
  ["it is an OpenEXR picture; .*", `Das ist ein OpenEXR-Bild; nehmen Sie ${KNOWN}`],
  ["it is an SVG drawing; .*", `Das ist eine SVG-Zeichnung; nehmen Sie ${KNOWN}`],
  ["it is a ZIP archive; .*", `Das ist ein ZIP-Archiv; nehmen Sie ${KNOWN}`],
  ["it is a video or a picture of an unknown kind; .*", `Das ist ein Video oder ein Bild unbekannter Art; nehmen Sie ${KNOWN}`],
  ["it is an animation; .*", "Das ist eine Animation; sichern Sie das gewünschte Bild daraus als Foto"],
  ["it has (\\d+) pages; choose one .*", "Die Datei hat $1 Seiten; sichern Sie die gewünschte als eigenes Foto, oder nehmen Sie den Befehl „invdn denoise --page“"],
  ["it has (\\d+) pages? and none of number (\\d+)", "Die Datei hat $1 Seiten und keine mit der Nummer $2"],
  ["its pixels are compressed in a way that cannot be decoded \\(TIFF's compression (\\d+)\\); .*", "Seine Pixel sind auf eine Art komprimiert (Verfahren $1 von TIFF), die nicht zu lesen ist; sichern Sie es mit Deflate oder LZW"],
  ["its samples are (\\S+) numbers of (\\d+) bits; .*", "Seine Werte haben $2 Bit in der Form „$1“; sichern Sie es mit 8 oder 16 Bit, oder als Gleitkomma mit 32 Bit"],
  ["it is damaged, or a rare kind of BMP .*", "Die Datei ist beschädigt oder ein seltenes BMP; öffnen Sie sie in einem Bildbetrachter und sichern Sie sie als PNG"],
  ["reading HEIC needs .*", "Dieser Dienst liest kein HEIC; sein Betreiber kann es nachrüsten: pip install 'invdn[heic]'"],
  ["reading a camera's raw files needs .*", "Dieser Dienst liest keine Rohbilder; sein Betreiber kann es nachrüsten: pip install 'invdn[raw]'"],
  ["(?:its pixels are .+; reading them|.+) needs? (?:two more packages|the package \\S+): .*", "Das kann dieser Dienst nicht lesen oder schreiben; sein Betreiber kann es nachrüsten: pip install 'invdn[formats]'"],
  ["its colours are (.+?); convert it to RGB.*", "Seine Farben sind $1; wandeln Sie es vorher in einem Bildprogramm in RGB oder Graustufen um"],
  ["its colours need an ICC profile, which cannot be read from JPEG XL on this system; .*", "Sein Farbprofil lässt sich aus JPEG XL auf diesem Rechner nicht lesen; wandeln Sie es vorher in ein TIFF oder PNG mit 16 Bit um"],
  ["its brightness is coded for HDR screens, with unusual primaries or in grey; .*", "Seine Helligkeit ist für HDR-Bildschirme kodiert, mit ungewöhnlichen Grundfarben oder in Grau; wandeln Sie es vorher in ein PNG oder AVIF nach Rec. 2100 um"],
  ["its colours are premultiplied with alpha; .*", "Seine Farben sind mit der Deckkraft vormultipliziert; sichern Sie es mit unverrechneter Deckkraft"],
  ["it has (\\d+) channels of type (\\S+); .*", "Es hat $1 Kanäle vom Typ $2; sichern Sie es als Graustufen oder RGB mit 8 oder 16 Bit"],
  ["some of its pixels are NaN or infinite; .*", "Manche seiner Pixel sind keine Zahlen oder unendlich; ersetzen Sie sie vorher"],
  ["most of its floating-point values lie above 1, .*", "Die meisten seiner Gleitkommawerte liegen über 1, also über Weiß; teilen Sie sie vorher durch ihren Weißwert"],
  ["LibRaw cannot develop it .*", `Dieses Rohbild lässt sich nicht entwickeln; ${CAMERA}`],
  ["(?:it|the photograph) has (\\d+)x(\\d+) pixels and the limit is ([\\d.]+) million; .*", "Das Foto hat $1 × $2 Pixel, und der Dienst nimmt höchstens $3 Millionen; der Befehl „invdn denoise“ nimmt es"],
  ["the photograph has (\\d+)x(\\d+) pixels, and a side may have (\\d+) at most; .*", "Das Foto hat $1 × $2 Pixel, und eine Seite darf höchstens $3 haben; der Befehl „invdn denoise“ nimmt es"],
  ["the file is larger than the ([\\d.]+) MB .*", "Die Datei ist größer als die $1 MB, die der Dienst nimmt; der Befehl „invdn denoise“ nimmt sie"],
  ["the photograph needs more than the (\\d+) MiB .*", "Das Foto braucht mehr als die $1 MiB Speicher, die es nehmen darf; der Befehl „invdn denoise“ nimmt es"],
  ["(\\d+) passes of the network over ([\\d.]+) megapixels are more than .*", "Das sind zu viele Durchgänge des Netzes ($1) für $2 Megapixel; wählen Sie eine schnellere Qualität"],
  ["the disk that the service keeps photographs on is full; .*", "Die Platte des Dienstes ist voll; versuchen Sie es später noch einmal"],
  ["the service is being stopped; .*", "Der Dienst wird gerade beendet; versuchen Sie es später noch einmal"],
  ["the work took more than ([\\d.]+) seconds; .*", "Die Arbeit hat länger als $1 Sekunden gedauert; wählen Sie eine schnellere Qualität"],
  ["cannot write the result: it holds no transparency; .*", "Dieses Format kennt keine Transparenz; wählen Sie PNG oder TIFF"],
  ["cannot write the result: it holds at most (\\d+) pixels a side; .*", "Dieses Format nimmt höchstens $1 Pixel an einer Seite; wählen Sie PNG oder TIFF"],
  ["cannot write the result: (?:it holds no greyscale profile|JPEG XL cannot be given its colour profile.*); .*", "Dieses Format nimmt das Farbprofil des Fotos nicht; wählen Sie PNG oder TIFF"],
  ["cannot write the result: the photograph's brightness is coded for HDR screens .*", "Die Helligkeit des Fotos ist für HDR-Bildschirme kodiert; wählen Sie PNG oder AVIF"],
  ["(?:cannot write the result: )?a JPEG holds at most 64 kB .*", "Ein JPEG nimmt höchstens 64 kB EXIF, XMP oder IPTC auf einmal; wählen Sie PNG oder TIFF"],
  ["cannot write the result: .*", "Das Ergebnis lässt sich so nicht schreiben; wählen Sie PNG oder TIFF"],
  ["the (?:work|service) failed[:;] .*", "Im Dienst ist ein Fehler aufgetreten; sein Protokoll sagt, warum"],
  // of the page without a server
  ["WebAssembly is switched off in this browser, .*", "WebAssembly ist in diesem Browser abgeschaltet, durch eine Einstellung oder den Blockierungsmodus des Geräts, und ohne es kann die Seite nicht arbeiten"],
  ["This browser or processor is too old: .*", "Dieser Browser oder Prozessor ist zu alt: ihm fehlt WebAssembly mit SIMD, das Chrome 91, Firefox 89, Safari 16.4 und spätere haben"],
  ["A part of this page could not be loaded\\..*", "Ein Teil dieser Seite war nicht zu laden. Es geht weiter, sobald die Verbindung wieder da ist"],
  ["This file is empty\\.", "Die Datei ist leer"],
  ["This is neither a JPEG nor a PNG, .*", "Das ist weder ein JPEG noch ein PNG, und andere liest diese Seite nicht. Sichern Sie es als eines davon, oder nehmen Sie den Befehl „invdn denoise“, der TIFF, HEIC, WebP und Rohbilder liest"],
  ["A photograph (\\d+) pixels wide needs more memory with .*", "Ein Foto von $1 Pixeln Breite braucht mit diesem Modell mehr Speicher, als eine Seite hat. Der Entwurf (das Modell „fast“) nimmt es, und der Befehl „invdn denoise“ auch"],
  ["A photograph (\\d+) pixels wide needs .*", "Ein Foto von $1 Pixeln Breite braucht mehr Speicher, als eine Seite hat. Der Befehl „invdn denoise“ nimmt es"],
  ["This photograph has (\\d+) megapixels, and a page has memory for (\\d+)\\..*", "Dieses Foto hat $1 Megapixel, und eine Seite hat Speicher für $2. Der Befehl „invdn denoise“ nimmt es"],
  ["This JPEG holds colours for print .*", "Dieses JPEG hat Farben für den Druck (CMYK). Wandeln Sie es in einem Bildprogramm in RGB um, und nehmen Sie diese Datei"],
  ["The file is damaged or cut short \\(.*\\)\\..*", "Die Datei ist beschädigt oder abgeschnitten. Kopieren Sie sie noch einmal von der Kamera oder Karte"],
  ["Its colour profile is .*", "Sein Farbprofil kann diese Seite nicht lesen: es gilt als sRGB und bleibt, wie es ist"],
  ["Left out of the result: (.+)\\.", "Nicht im Ergebnis: $1"],
  // notes on a result
  ["the (.+) behind it is cut short, and kept as it is", "Nicht ganz vorhanden und gelassen, wie es ist: $1"],
  ["stray bytes between the blocks of its head were skipped", "Überflüssige Bytes zwischen den Blöcken seines Kopfes wurden übergangen"],
  ["banding of (\\S+) was taken off \\(([\\d.]+) of 255\\)", "Streifen ($1) wurden entfernt ($2 von 255)"],
  ["blotches of colour were taken off \\(([\\d.]+) of 255\\)", "Farbflecken wurden entfernt ($1 von 255)"],
  ["1 hot or dead pixel was mended", "1 heißes oder totes Pixel wurde ausgebessert"],
  ["(\\d+) hot or dead pixels were mended", "$1 heiße oder tote Pixel wurden ausgebessert"],
  ["it is almost clean: hardly anything was changed \\(([\\d.]+) of 255\\)", "Es ist fast rauschfrei: kaum etwas wurde geändert ($1 von 255)"],
  ["it is almost clean \\(noise ([\\d.]+) of 255\\): .*", "Es ist fast rauschfrei (Rauschen $1 von 255): eine feste Stärke nimmt eher feine Struktur als Rauschen; Auto behält sie"],
  ["its noise is unlike that of a camera: .*\\(correlation (\\S+)\\).*", "Sein Rauschen ist anders als das einer Kamera: benachbarte Pixel sind unabhängig (Korrelation $1), wie in künstlichem Rauschen oder einem verkleinerten Bild; das Modell hat wenig davon gesehen"],
  ["its noise \\((\\d+) of 255\\) is stronger than .*", "Sein Rauschen ($1 von 255) ist stärker als alles, womit das Modell gelernt hat; Reste davon bleiben"],
  ["it is a result of InvDN already; .*", "Es ist schon ein Ergebnis von InvDN; noch einmal zu entrauschen kostet Einzelheiten"],
  ["it is (\\S+) inside, whatever the ending '(.+)' says", "Innen ist es $1, was immer die Endung „$2“ sagt"],
  ["it lacks its end marker, and nothing else", "Ihm fehlt die Endmarke, sonst nichts"],
  ["its CMYK is converted to sRGB by its profile", "Sein CMYK wurde nach seinem Profil in sRGB umgewandelt"],
  ["its colour profile is (damaged|of another kind): taken for sRGB and kept as it is", "Sein Farbprofil ist beschädigt oder von anderer Art: es gilt als sRGB und bleibt, wie es ist"],
  ["it is a camera's raw file: developed to 16 bits of Display P3.*", "Es ist das Rohbild einer Kamera: entwickelt in 16 Bit von Display P3"],
  ["it was compressed with (.+); the result is with deflate", "Es war mit $1 komprimiert; das Ergebnis ist es mit Deflate"],
  ["it was packed in (\\d+) bits; the result is with deflate", "Seine Werte hatten $1 Bit; das Ergebnis hat 16 und ist mit Deflate komprimiert"],
  ["it was stored in (?:a plane of each colour|tiles much larger than the picture); the result is with deflate", "Seine Pixel waren ungewöhnlich angeordnet; das Ergebnis ist wie üblich angeordnet und mit Deflate komprimiert"],
  ["a further picture in the file \\((\\d+)x(\\d+)\\) is kept as it was", "Ein weiteres Bild in der Datei ($1 × $2) bleibt, wie es war"],
  ["its index names further pictures, which the file lacks", "Sein Verzeichnis nennt weitere Bilder, die der Datei fehlen"],
  ["the ([\\d.]+) MB behind the picture are left out", "Nicht im Ergebnis: die $1 MB hinter dem Bild"],
  ["its index of pictures points \\d+ times? to where no picture is; .*", "Sein Verzeichnis weiterer Bilder zeigt auch dorthin, wo keines ist; das des Ergebnisses ist berichtigt"],
  ["left out(?:, since it belongs to the whole|, since it cannot be decoded| with the metadata)?: (.+)", "Nicht im Ergebnis: $1"],
  ["the (\\S+) engine \\((.+)\\) on the (\\S+)", "Engine $1 ($2) auf $3"],
  ["left out, since (\\S+(?: XL)?) has no place for it: (.+)", "Nicht im Ergebnis, da $1 keinen Platz dafür hat: $2"],
].map(([english, german]) => [new RegExp(`^${english}$`, "s"), german]);

const DECIMAL = /(?<![\w.])(\d+)\.(\d+)(?![\w.])/g;

/** What stands within a sentence: what is left out of a result, and how a file is made. */
const GERMAN_PARTS = [
  [/\bits gain map \(HDR\)/g, "seine Gain-Map (HDR)"],
  [/\bits depth map/g, "seine Tiefenkarte"],
  [/\bits portrait matte/g, "seine Porträtmaske"],
  [/\bits preview/g, "seine Vorschau"],
  [/\bwith its video\b/g, "mit seinem Video"],
  [/\bits video\b/g, "sein Video"],
  [/\bits fourth channel/g, "sein vierter Kanal"],
  [/\bits content credentials \(C2PA\), which vouch for the original's pixels/g, "sein Herkunftsnachweis (C2PA), der für die Pixel des Originals bürgt"],
  [/\bits digital signature, which vouches for the original's pixels/g, "seine digitale Unterschrift, die für die Pixel des Originals bürgt"],
  [/\bits (\S+) block, which belongs to the pixels/g, "sein Block $1, der zu den Pixeln gehört"],
  [/\bits block (\S+)/g, "sein Block $1"],
  [/\ban auxiliary picture/g, "ein Hilfsbild"],
  [/\ban? (\S+) block( \(.*?\))? of ([\d,]+ MB)/g, "ein Block $1 von $3"],
  [/\ban? (\S+) block/g, "ein Block $1"],
  [/\btext \(/g, "Text ("],
  [/\bthe TIFF tag (\d+)/g, "das TIFF-Feld $1"],
  [/\b(\d+) reduced cop\w+ or masks/g, "verkleinerte Kopien oder Masken ($1)"],
  [/\bthe pictures below it/g, "die Bilder darunter"],
  [/\bthe thumbnail in EXIF/g, "das Vorschaubild in EXIF"],
  [/\bSamsung's trailer/g, "Samsungs Anhang"],
  [/\bScalado's index of the compressed data/g, "Scalados Verzeichnis der komprimierten Daten"],
  [/\bJPEG XT's extension layers/g, "Erweiterungsebenen von JPEG XT"],
  [/(?<=[\d)\w]) and (?=[\wä-ü$])/g, " und "],
  [/\ba further picture/g, "ein weiteres Bild"],
  [/(\d+) other pictures? of the file/g, "$1 weitere Bilder der Datei"],
  [/(\d+) bytes( of unknown data)? behind the picture/g, "$1 Bytes hinter dem Bild"],
  [/\bCMYK without a profile/g, "CMYK ohne Profil"],
  [/\bof kind (\d+)/g, "von der Art $1"],
  [/\(rows\)/g, "(in Zeilen)"],
  [/\(columns\)/g, "(in Spalten)"],
];

/** `the file is damaged` as a sentence. */
export const asSentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?)]$/.test(words) ? "" : ".");

/** What the service says, in the page's language; null where there is no sentence for it. */
export function translated(words) {
  if (language === "en") return asSentence(words);
  for (const [english, german] of GERMAN) {
    const found = english.exec(words);
    if (!found) continue;
    const values = found.map((value) => value?.replace(DECIMAL, "$1,$2"));
    const whole = german.replace(/\$(\d)/g, (_, number) => values[number] ?? "");
    return asSentence(GERMAN_PARTS.reduce((text, [part, other]) => text.replace(part, other), whole));
  }
  return null;
}

/** A problem as RFC 9457 has it, as a sentence of the page's language. */
export function problemInWords({ type = "", title = "", detail = title, errors = [] }) {
  const named = errors.map(({ name, message }) => `${name}: ${message}`).join("; ");
  const english = named && !detail.includes(named) ? `${detail} (${named})` : detail;
  const known = translated(english);
  if (known) return known;
  const kind = GERMAN_KINDS[type.split(":").at(-1)];
  if (!kind) return asSentence(english);
  return ["invalid", "internal", "bad-request"].includes(type.split(":").at(-1)) && english ? asSentence(`${kind} („${english}“)`) : asSentence(kind);
}
