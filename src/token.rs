//! One access token for each account.
