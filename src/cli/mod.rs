//! Command line, environment and file, from one table of options.
