//! common_rules.
