/* What Chromium makes of the site. Its parts share one browser, which takes longer to start than most of them take. */
import './grid-tests.ts';
import './filter-tests.ts';
import './page-tests.ts';
import './planted-tests.ts';
import './folder-tests.ts';
import './parts-tests.ts';
