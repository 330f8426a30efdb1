// What is remembered: settings for as long as the browser keeps them, the table for as long as the tab lives.

const SETTINGS = "invdn-settings";
const TABLE = `invdn-table ${new URL("./", document.baseURI).pathname}`;

function read(store, name, otherwise) {
  try {
    return JSON.parse(store().getItem(name)) ?? otherwise;
  } catch {
    return otherwise; // the browser keeps nothing, or something else wrote there
  }
}

function write(store, name, value) {
  try {
    store().setItem(name, JSON.stringify(value));
  } catch {
    // nothing is lost but the memory
  }
}

const lasting = () => localStorage;
const ofTab = () => sessionStorage;

/** `{quality, look, own, tell}` of the last time. */
export const settings = () => read(lasting, SETTINGS, {});

export const remember = (values) => write(lasting, SETTINGS, { ...settings(), ...values });

/** The photographs that were on the table: `{photos: [{photo, job, quality, look}], current}`. */
export const table = () => read(ofTab, TABLE, { photos: [], current: null });

export const keepTable = (photos, current) => write(ofTab, TABLE, { photos, current });
