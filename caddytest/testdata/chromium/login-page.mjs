// Visits examples/login-page with a Chromium that runs no scripts:
//
//	node login-page.mjs <chromium> <site> [<folder for pictures>]
//
// It prints a line for each thing that it saw, and ends with an error at the
// first that is not as it should be.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [executablePath, site, pictures] = process.argv.slice(2);
const browser = await chromium.launch({
	executablePath,
	ignoreDefaultArgs: ['--disable-back-forward-cache'], // what the back button shows is what is tested
	args: [
		'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
		'--disable-background-networking', '--disable-component-update', '--disable-sync',
	],
});
const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 900, height: 640 } });
const page = await context.newPage();
const picture = async (name) => pictures && page.screenshot({ path: `${pictures}/${name}.png` });
const heading = () => page.locator('h1').innerText();
const saw = (what) => console.log(what);

const logIn = async (name, password) => {
	await page.fill('input[name=username]', name);
	await page.fill('input[name=password]', password);
	await page.click('button');
};

try {
	// who is not signed in is asked to, and comes back
	await page.goto(`${site}/reports/`);
	assert.equal(page.url(), `${site}/auth/login/?next=%2Freports%2F`);
	assert.equal(await heading(), 'Log in');
	assert.equal(await page.locator('.wrong:visible').count(), 0);
	await picture('log-in');
	saw('the form');

	await logIn('alice', 'wrong');
	assert.equal(page.url(), `${site}/auth/login/?error=invalid_grant&next=%2Freports%2F#invalid_grant`);
	assert.deepEqual(await page.locator('.wrong:visible').allInnerTexts(), ['Wrong name or password.']);
	assert.deepEqual(await context.cookies(), []);
	await picture('wrong');
	saw('a wrong password');

	await logIn('alice', 'wonderland');
	assert.equal(page.url(), `${site}/reports/#`); // not #invalid_grant, which the form's address ended with
	assert.equal(await heading(), 'Reports');
	await picture('reports');
	saw('the page that was asked for');

	const cookies = await context.cookies();
	assert.deepEqual(cookies.map((c) => `${c.name} ${c.path} ${c.httpOnly} ${c.sameSite}`).sort(), [
		'session / true Lax', 'session_refresh /auth true Lax',
	]);
	saw('cookies that no script can read');

	// a static file, for who is signed in alone
	const file = `${site}/reports/2026.csv`;
	assert.match(await (await context.request.get(file)).text(), /2026-01,1200/);
	const stranger = await browser.newContext();
	assert.equal((await stranger.request.get(file, { headers: { 'Sec-Fetch-Mode': 'cors' } })).status(), 401);
	await stranger.close();
	saw('a protected file');

	// the access token runs out: nobody notices. (A session that is seconds old is
	// not prolonged, so that a browser does not go round in circles.)
	await context.clearCookies({ name: 'session' });
	for (const end = Date.now() + 60_000; ; await page.waitForTimeout(500)) {
		await page.goto(`${site}/reports/`);
		if (new URL(page.url()).pathname === '/reports/') break;
		assert.equal(await heading(), 'Log in');
		assert.ok(Date.now() < end, 'the session is not prolonged');
	}
	assert.equal(await heading(), 'Reports');
	const prolonged = await context.cookies();
	const valueOf = (list, name) => list.find((c) => c.name === name)?.value;
	for (const name of ['session', 'session_refresh']) {
		assert.ok(valueOf(prolonged, name));
		assert.notEqual(valueOf(prolonged, name), valueOf(cookies, name));
	}
	saw('a session that goes on');

	// from elsewhere: a link works, a form does not
	const elsewhere = async (html) => {
		await page.goto(`${site.replace('localhost', '127.0.0.1')}/`);
		await page.setContent(html);
	};
	await elsewhere(`<a href="${site}/reports/">x</a>`);
	await page.click('a');
	assert.equal(await heading(), 'Reports');
	await elsewhere(`<form method="post" action="${site}/auth/login/"><input name="username" value="alice">
		<input name="password" value="wonderland"><button>x</button></form>`);
	const [refused] = await Promise.all([
		page.waitForResponse((r) => r.request().method() === 'POST'), page.click('button'),
	]);
	assert.equal(refused.status(), 403);
	await elsewhere(`<form method="post" action="${site}/auth/logout"><button>x</button></form>`);
	await page.click('button');
	await page.goto(`${site}/reports/`);
	assert.equal(await heading(), 'Reports');
	saw('other sites that can do nothing');

	// out, for good
	await page.click('button');
	assert.equal(page.url(), `${site}/`);
	assert.deepEqual(await context.cookies(), []);
	await page.goBack();
	assert.equal(await heading(), 'Log in');
	assert.doesNotMatch(await page.content(), /signed in/);
	await context.addCookies(prolonged);
	await page.goto(`${site}/reports/`);
	assert.equal(await heading(), 'Log in');
	saw('a log-out that lasts');
} finally {
	await browser.close();
}
