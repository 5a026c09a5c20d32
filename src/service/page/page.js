/** @file The page. */
