// The live page and the report in headless Chromium: phone and hall screen, English and Japanese.
// HOTSTAGE_BIN names the program (default: the release build); HOTSTAGE_SCREENSHOTS a folder to leave pictures in.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const program = process.env.HOTSTAGE_BIN ?? join(root, "target/release/hotstage");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const missing = !existsSync(program)
  ? `${program} is not there: run cargo build --release`
  : !executablePath
    ? "no Chromium is installed"
    : false;

const screens = {
  phone: { width: 390, height: 844 },
  hall: { width: 1920, height: 1080 },
};

let browser, rehearsal, finished, address, dir;

before(async () => {
  if (missing) return;
  dir = mkdtempSync(join(tmpdir(), "hotstage-browser-"));
  rehearsal = spawn(
    program,
    ["rehearse", join(root, "examples/pyconjp-2019"), "--live", "-o", join(dir, "report"), "--listen-http", "127.0.0.1:0"],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  finished = new Promise((resolve) => rehearsal.on("close", resolve));
  address = await new Promise((resolve, reject) => {
    finished.then((code) => reject(new Error(`the rehearsal ended with ${code} before its page was there`)));
    createInterface({ input: rehearsal.stderr }).on("line", (line) => {
      const found = line.match(/http:\/\/[0-9.:]+\//);
      if (found) resolve(found[0]);
    });
  });
  browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(async () => {
  await browser?.close();
  if (rehearsal && rehearsal.exitCode === null) rehearsal.kill("SIGKILL");
  if (dir) rmSync(dir, { recursive: true, force: true });
});

async function open(url, viewport, colorScheme = "light") {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const strangers = [];
  const errors = [];
  page.on("request", (request) => {
    const asked = new URL(request.url());
    if (!["127.0.0.1", ""].includes(asked.hostname)) strangers.push(request.url());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(url);
  return { page, strangers, errors, close: () => context.close() };
}

async function picture(page, name, fullPage = false) {
  const folder = process.env.HOTSTAGE_SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}

async function assertFits(page) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= screen, `the page is ${content} px wide on a screen of ${screen} px`);
}

for (const [screen, viewport] of Object.entries(screens)) {
  for (const [lang, word] of [
    ["en", "devices online"],
    ["ja", "台が接続中"],
  ]) {
    test(`the live page on a ${screen} in ${lang}`, { skip: missing }, async () => {
      const { page, strangers, errors, close } = await open(`${address}?lang=${lang}`, viewport);
      assert.equal(await page.locator("html").getAttribute("lang"), lang);
      assert.match(await page.locator("main").innerText(), new RegExp(word));
      // The crowd comes: the figure changes without a reload.
      const before = await page.locator("#unique").innerText();
      await page.waitForFunction((text) => document.querySelector("#unique").textContent !== text, before, { timeout: 60_000 });
      assert.ok(Number(await page.locator("#unique").innerText()) > Number(before));
      assert.ok((await page.locator(".rooms li").count()) >= 6);
      assert.ok((await page.locator(".access-points li").count()) >= 10);
      await assertFits(page);
      // Asked in the page in one go: the element is replaced several times a second.
      const bottom = await page.evaluate(() => document.querySelector("#clients").getBoundingClientRect().bottom);
      assert.ok(bottom <= viewport.height, "the main figure is on the first screen");
      await picture(page, `page-${screen}-${lang}`);
      assert.deepEqual(strangers, [], "nothing is fetched from elsewhere");
      assert.deepEqual(errors, []);
      await close();
    });
  }
}

test("the live page in the dark", { skip: missing }, async () => {
  const { page, close } = await open(`${address}?lang=ja`, screens.hall, "dark");
  const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(back, "rgb(13, 20, 19)");
  await picture(page, "page-hall-ja-dark");
  await close();
});

test("the page says when the services are gone, and the report is left behind", { skip: missing, timeout: 180_000 }, async () => {
  const { page, close } = await open(`${address}?lang=en`, screens.phone);
  assert.equal(await page.locator("#lost").isVisible(), false);
  assert.equal(await finished, 0, "the rehearsal met its goals");
  await page.locator("#lost").waitFor({ state: "visible", timeout: 30_000 });
  await close();
  for (const [screen, viewport] of Object.entries(screens)) {
    for (const lang of ["en", "ja"]) {
      const report = await open(`file://${join(dir, "report", `report.${lang}.html`)}`, viewport);
      assert.equal(await report.page.locator("html").getAttribute("lang"), lang);
      assert.ok((await report.page.locator("svg").count()) >= 4, "charts are in the page");
      await assertFits(report.page);
      await picture(report.page, `report-${screen}-${lang}`, true);
      assert.deepEqual(report.strangers, []);
      assert.deepEqual(report.errors, []);
      await report.close();
    }
  }
});
