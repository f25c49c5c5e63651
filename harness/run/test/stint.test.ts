import './stint-tests.ts';
import './schedule-tests.ts';
