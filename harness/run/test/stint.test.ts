import './facts-tests.ts';
import './guest-tests.ts';
import './memory-tests.ts';
import './modules-tests.ts';
import './stint-tests.ts';
import './schedule-tests.ts';
import './settings-tests.ts';
