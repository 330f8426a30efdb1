// Every word of the page, in every language: one table. `{name}` is filled in.

const TABLE = {
  // head and empty table
  add: ["Add photos", "Fotos hinzufügen"],
  keys: ["Help and keys", "Hilfe und Tasten"],
  dropHere: ["Drop photographs here", "Fotos hierher ziehen"],
  takeAway: ["Take the noise away", "Rauschen entfernen"],
  choose: ["Choose photographs", "Fotos auswählen"],
  sample: ["Try it with a sample", "Mit einem Beispiel ausprobieren"],
  orPaste: ["You can also paste one.", "Einfügen geht auch."],
  formats: ["{formats}, up to {size} each.", "{formats}, je bis {size}."],
  stayHere: ["They stay on this machine.", "Sie bleiben auf diesem Rechner."],
  goTo: ["They go to {host} and nowhere else.", "Sie gehen an {host} und nirgendwo sonst."],
  dropToAdd: ["Drop to add", "Loslassen zum Hinzufügen"],
  // viewer
  photograph: ["Photograph", "Foto"],
  photographs: ["Photographs", "Fotos"],
  viewerLabel: ["Photograph, before and after", "Foto, vorher und nachher"],
  viewerHelp: [
    "Plus and minus zoom, 0 fits the photograph, 1 shows it at 100 percent, arrow keys move it, the square brackets move the boundary, hold B to see before, U shows uncertainty, question mark shows all keys.",
    "Plus und Minus zoomen, 0 zeigt das ganze Foto, 1 zeigt es mit 100 Prozent, Pfeiltasten verschieben es, eckige Klammern verschieben die Grenze, B zeigt vorher, U zeigt die Unsicherheit, Fragezeichen zeigt alle Tasten.",
  ],
  before: ["Before", "Vorher"],
  after: ["After", "Nachher"],
  preview: ["Preview", "Vorschau"],
  uncertainty: ["Uncertainty", "Unsicherheit"],
  boundary: ["Boundary between before and after", "Grenze zwischen vorher und nachher"],
  boundaryValue: ["before {a} percent, after {b} percent", "vorher {a} Prozent, nachher {b} Prozent"],
  view: ["View", "Ansicht"],
  zoomOut: ["Zoom out", "Verkleinern"],
  zoomIn: ["Zoom in", "Vergrößern"],
  zoom: ["Zoom", "Zoom"],
  fit: ["Fit", "Einpassen"],
  fitTitle: ["Whole photograph (0)", "Ganzes Foto (0)"],
  full: ["1:1", "1:1"],
  fullTitle: ["One pixel of the photograph to one of the screen (1)", "Ein Pixel des Fotos ist ein Pixel des Bildschirms (1)"],
  beside: ["Side by side", "Nebeneinander"],
  besideTitle: ["Before and after beside each other (S)", "Vorher und nachher nebeneinander (S)"],
  nothing: ["No photograph", "Kein Foto"],
  canvas: ["{name}, {what}, at {zoom}", "{name}, {what}, bei {zoom}"],
  seeResult: ["before and after", "vorher und nachher"],
  seePreview: ["before, and a preview of after", "vorher, und eine Vorschau von nachher"],
  seeBefore: ["before", "vorher"],
  // state of a photograph
  sWaiting: ["Waiting", "Wartet"],
  sUploading: ["Reading", "Wird gelesen"],
  sReady: ["Ready", "Bereit"],
  sQueued: ["Queued", "In der Reihe"],
  sDone: ["Done", "Fertig"],
  sFailed: ["Failed", "Fehler"],
  sRefused: ["Not taken", "Abgelehnt"],
  sStopped: ["Stopped", "Angehalten"],
  waiting: ["Waiting for its turn", "Wartet, bis es an der Reihe ist"],
  busy: ["The service is busy; trying again shortly", "Der Dienst ist beschäftigt; gleich noch einmal"],
  waitingForService: ["Waiting for the service", "Wartet auf den Dienst"],
  uploading: ["Reading the photograph", "Das Foto wird gelesen"],
  previewing: ["Making a preview", "Eine Vorschau entsteht"],
  ready: ["Ready to denoise", "Bereit zum Entrauschen"],
  queuedBehind: ["{count} before it in the queue", "{count} davor in der Reihe"],
  queued: ["About to start", "Beginnt gleich"],
  running: ["Denoising, {percent}", "Wird entrauscht, {percent}"],
  left: ["about {time} left", "noch etwa {time}"],
  done: ["Denoised in {time}", "Entrauscht in {time}"],
  stoppedEarlier: ["Stopped; this is the earlier result", "Angehalten; dies ist das frühere Ergebnis"],
  stopped: ["Stopped", "Angehalten"],
  noiseFound: ["Noise: {word} ({level} of 255)", "Rauschen: {word} ({level} von 255)"],
  autoTook: ["Auto chose a strength of {percent}", "Auto wählte eine Stärke von {percent}"],
  "n light": ["light", "leicht"],
  "n moderate": ["moderate", "mittel"],
  "n strong": ["strong", "stark"],
  "n extreme": ["extreme", "extrem"],
  // settings
  settings: ["Settings", "Einstellungen"],
  cancel: ["Cancel", "Abbrechen"],
  again: ["Try again", "Noch einmal"],
  denoise: ["Denoise", "Entrauschen"],
  denoiseWith: ["Denoise: {quality}, about {time}", "Entrauschen: {quality}, etwa {time}"],
  quality: ["Quality", "Qualität"],
  qDraft: ["Draft", "Entwurf"],
  qDraftNote: ["a quick look, by the small model", "ein schneller Blick, vom kleinen Modell"],
  qFast: ["Fast", "Schnell"],
  qFastNote: ["good for most photographs", "gut für die meisten Fotos"],
  qBalanced: ["Balanced", "Ausgewogen"],
  qBalancedNote: ["smoother", "glatter"],
  qBest: ["Best", "Beste"],
  qBestNote: ["cleanest", "am saubersten"],
  look: ["Look", "Wirkung"],
  preset: ["Preset", "Vorgabe"],
  pAuto: ["Automatic", "Automatisch"],
  pGentle: ["Gentle", "Behutsam"],
  pStrong: ["Strong", "Kräftig"],
  pFull: ["Everything removed", "Alles entfernt"],
  pSoft: ["Half", "Zur Hälfte"],
  pGrain: ["Keep some grain", "Etwas Korn behalten"],
  pOwn: ["My look", "Meine Wirkung"],
  pOther: ["Other", "Eigene"],
  saveOwn: ["Save as my look", "Als meine Wirkung sichern"],
  savedOwn: ["Saved as my look", "Als meine Wirkung gesichert"],
  reset: ["Reset", "Zurücksetzen"],
  strength: ["Strength", "Stärke"],
  strengthNote: ["How much of the noise is removed; 0 % is the photograph as it was.", "Wie viel vom Rauschen entfernt wird; 0 % ist das Foto, wie es war."],
  luminance: ["Luminance", "Helligkeit"],
  luminanceNote: ["How much of the grain in brightness is removed.", "Wie viel vom Helligkeitsrauschen entfernt wird."],
  chroma: ["Colour", "Farbe"],
  chromaNote: ["How much of the coloured noise is removed.", "Wie viel vom Farbrauschen entfernt wird."],
  texture: ["Fine texture", "Feine Struktur"],
  textureNote: ["How much fine structure goes with the noise; further left, more of it stays.", "Wie viel feine Struktur mit dem Rauschen geht; weiter links bleibt mehr davon."],
  auto: ["Auto", "Auto"],
  autoLabel: ["Auto strength", "Auto Stärke"],
  autoTitle: ["As strong as the noise that was found calls for, in every place", "So stark, wie das gefundene Rauschen es an jeder Stelle verlangt"],
  showUncertainty: ["Show uncertainty", "Unsicherheit zeigen"],
  comesLater: ["Comes with the full result.", "Kommt mit dem ganzen Ergebnis."],
  uncertaintyNote: [
    "Where the result may be off: nine times in ten by less than is shown.",
    "Wo das Ergebnis abweichen kann: in neun von zehn Fällen um weniger als gezeigt.",
  ],
  ofWhite: ["10 % of white", "10 % von Weiß"],
  format: ["Format", "Format"],
  asBefore: ["Unchanged", "Unverändert"],
  fileQuality: ["File quality", "Dateiqualität"],
  strip: ["Without metadata", "Ohne Metadaten"],
  saveAs: ["How it is saved", "Wie es gesichert wird"],
  download: ["Download", "Herunterladen"],
  downloadAll: ["Download all {count}", "Alle {count} herunterladen"],
  preparing: ["Preparing {percent}", "Wird vorbereitet {percent}"],
  more: ["More ways to keep it", "Weitere Wege, es zu behalten"],
  copy: ["Copy", "Kopieren"],
  copied: ["Copied", "Kopiert"],
  shareAgain: [
    "The file could not be shared; if it took long to make, press Share once more.",
    "Die Datei konnte nicht geteilt werden; wenn ihre Herstellung lange dauerte, drücken Sie noch einmal auf „Teilen“.",
  ],
  share: ["Share", "Teilen"],
  toFolder: ["Save all into a folder", "Alle in einen Ordner sichern"],
  toFolderDone: ["{count} photographs saved into the folder", "{count} Fotos im Ordner gesichert"],
  same: ["Use these settings for all", "Diese Einstellungen für alle"],
  tellMe: ["Tell me when it is done", "Sagen, wenn es fertig ist"],
  remove: ["Remove", "Entfernen"],
  removeNamed: ["Remove {name}", "{name} entfernen"],
  dragOut: ["Drag it into a folder to save it", "In einen Ordner ziehen, um es zu sichern"],
  other: ["Choose another file", "Andere Datei wählen"],
  // said aloud, and banners
  added: ["{name} added", "{name} hinzugefügt"],
  addedMany: ["{count} photographs added", "{count} Fotos hinzugefügt"],
  saidPercent: ["{name}: {percent} percent", "{name}: {percent} Prozent"],
  saidRunning: ["Denoising {name}", "{name} wird entrauscht"],
  saidDone: ["{name} is denoised", "{name} ist entrauscht"],
  saidStopped: ["{name}: stopped", "{name}: angehalten"],
  saidPreview: ["Preview of the visible part is there", "Die Vorschau des sichtbaren Teils ist da"],
  saidSame: ["All photographs have these settings now", "Alle Fotos haben jetzt diese Einstellungen"],
  downloaded: ["{name} downloaded", "{name} heruntergeladen"],
  empty: ["This file is empty.", "Diese Datei ist leer."],
  tooLarge: ["This file is too large: {size}, and the service takes {most} at most.", "Diese Datei ist zu groß: {size}; der Dienst nimmt höchstens {most}."],
  unknownError: ["The service answered with error {status}. Try again.", "Der Dienst antwortete mit Fehler {status}. Versuchen Sie es noch einmal."],
  proxyLimit: ["The file is larger than the server in front of the service takes.", "Die Datei ist größer, als der Server vor dem Dienst sie nimmt."],
  silent: ["The service does not answer. Is “invdn serve” still running?", "Der Dienst antwortet nicht. Läuft „invdn serve“ noch?"],
  goesOn: ["The work goes on when it is back.", "Die Arbeit geht weiter, wenn er wieder da ist."],
  lost: ["The service no longer has it. Add the file again, or try again if it is still there.", "Der Dienst hat es nicht mehr. Fügen Sie die Datei neu hinzu, oder versuchen Sie es noch einmal."],
  expired: ["{count} photographs of the last visit have expired on the service.", "{count} Fotos des letzten Besuchs sind auf dem Dienst abgelaufen."],
  wasStopped: ["It was stopped.", "Es wurde angehalten."],
  // token
  locked: ["This service is protected", "Dieser Dienst ist geschützt"],
  lockedWords: ["Enter the token that its owner gave you.", "Geben Sie das Kennwort ein, das Sie vom Besitzer bekommen haben."],
  token: ["Token", "Kennwort"],
  open: ["Open", "Öffnen"],
  wrongToken: ["This is not the token.", "Das ist nicht das Kennwort."],
  // keys
  keyUp: ["Page Up", "Bild ↑"],
  keyDown: ["Page Down", "Bild ↓"],
  keyControl: ["Ctrl", "Strg"],
  kMove: ["move", "verschieben"],
  kZoom: ["zoom", "zoomen"],
  kFit: ["whole photograph", "ganzes Foto"],
  kFull: ["actual size", "Originalgröße"],
  kBoundary: ["move the boundary", "Grenze verschieben"],
  kBefore: ["hold to see before", "halten, um vorher zu sehen"],
  kBeside: ["side by side", "nebeneinander"],
  kUncertainty: ["uncertainty", "Unsicherheit"],
  kOthers: ["other photographs", "andere Fotos"],
  kAdd: ["add photographs", "Fotos hinzufügen"],
  kPaste: ["paste one", "eines einfügen"],
  kSave: ["download", "herunterladen"],
  kHelp: ["this list", "diese Liste"],
  gTwo: ["two fingers", "zwei Finger"],
  gTwice: ["tap twice", "zweimal tippen"],
  gDrag: ["drag", "ziehen"],
  gBottom: ["strip of photographs", "Filmstreifen"],
  gFull: ["actual size, or the whole", "Originalgröße oder das Ganze"],
  gMove: ["move it, or the boundary", "Foto oder Grenze verschieben"],
  about: ["InvDN {version}, model {model}, {engine}.", "InvDN {version}, Modell {model}, {engine}."],
  restDocs: ["For programs: the REST interface", "Für Programme: die REST-Schnittstelle"],
  language: ["Language", "Sprache"],
  close: ["Close", "Schließen"],
  // numbers
  bits8: ["8 bit", "8 Bit"],
  bits16: ["16 bit", "16 Bit"],
  bits32: ["32 bit float", "32 Bit Gleitkomma"],
  bytes: ["bytes", "Bytes"],
};

const LANGUAGES = ["en", "de"];
const remembered = () => {
  try {
    return localStorage.getItem("invdn-language");
  } catch {
    return null; // the browser keeps nothing
  }
};
const wanted = [remembered(), ...(navigator.languages ?? [navigator.language])].filter(Boolean);
const found = wanted.map((name) => LANGUAGES.indexOf(name.slice(0, 2))).find((place) => place >= 0) ?? 0;

export const language = LANGUAGES[found];

/** The words of a key, with values filled in. */
export const t = (key, values = {}) => TABLE[key][found].replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** A number as the language writes it. */
export const number = (value, digits = 0) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });

/** Fill in all elements that name their words: `data-t` the text, `data-t-title` and `data-t-label` the attributes. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-title]")) element.title = t(element.dataset.tTitle);
  for (const element of root.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
}

/** Speak another language from now on. */
export function speak(name) {
  try {
    localStorage.setItem("invdn-language", name);
  } catch {
    return;
  }
  location.reload();
}
