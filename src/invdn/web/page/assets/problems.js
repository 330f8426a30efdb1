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
  ["its colours are (\\S+); convert it to RGB.*", "Seine Farben sind $1; wandeln Sie es vorher in einem Bildprogramm in RGB oder Graustufen um"],
  ["its colours are described by an embedded ICC profile, which cannot be read from JPEG XL yet; .*", "Sein Farbprofil lässt sich aus JPEG XL noch nicht lesen; wandeln Sie es vorher in ein TIFF oder PNG mit 16 Bit um"],
  ["its colours are premultiplied with alpha; .*", "Seine Farben sind mit der Deckkraft vervielfacht; sichern Sie es mit unverrechneter Deckkraft"],
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
  // notes on a result
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
  ["a further picture in the file \\((\\d+)x(\\d+)\\) is kept as it was", "Ein weiteres Bild in der Datei ($1 × $2) bleibt, wie es war"],
  ["its index of pictures points \\d+ times? to where no picture is; .*", "Sein Verzeichnis weiterer Bilder zeigt auch dorthin, wo keines ist; das des Ergebnisses ist berichtigt"],
  ["left out(?:, since it belongs to the whole|, since it cannot be decoded| with the metadata)?: (.+)", "Nicht im Ergebnis: $1"],
  ["the (\\S+) engine \\((.+)\\) on the (\\S+)", "Engine $1 ($2) auf $3"],
  ["left out, since (\\S+(?: XL)?) has no place for it: (.+)", "Nicht im Ergebnis, da $1 keinen Platz dafür hat: $2"],
].map(([english, german]) => [new RegExp(`^${english}$`, "s"), german]);

/** What may be left out of a result. */
const GERMAN_PARTS = [
  [/\bits gain map \(HDR\)/g, "seine Gain-Map (HDR)"],
  [/\bits depth map/g, "seine Tiefenkarte"],
  [/\bits preview/g, "seine Vorschau"],
  [/\bits video\b/g, "sein Video"],
  [/\bits fourth channel/g, "sein vierter Kanal"],
  [/(\d+) other pictures? of the file/g, "$1 weitere Bilder der Datei"],
  [/(\d+) bytes of unknown data behind the picture/g, "$1 Bytes unbekannter Daten hinter dem Bild"],
];

/** `the file is damaged` as a sentence. */
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?)]$/.test(words) ? "" : ".");

/** What the service says, in the page's language; null where there is no sentence for it. */
export function translated(words) {
  if (language === "en") return sentence(words);
  for (const [english, german] of GERMAN) {
    if (!english.test(words)) continue;
    const whole = words.replace(english, german);
    return sentence(GERMAN_PARTS.reduce((text, [part, other]) => text.replace(part, other), whole));
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
  if (!kind) return sentence(english);
  return ["invalid", "internal", "bad-request"].includes(type.split(":").at(-1)) && english ? sentence(`${kind} („${english}“)`) : sentence(kind);
}
