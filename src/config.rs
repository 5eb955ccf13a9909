//! Raw values to checked settings: every path, permission and limit, before the first thread.
