//! Every pager passes the same suite.

mod common;

use common::suite::{self, Harness};
use llkv_storage::{BoxedPager, MemPager};
use std::sync::Arc;

struct Memory;

impl Harness for Memory {
    fn fresh(&mut self) -> BoxedPager {
        Arc::new(MemPager::new())
    }

    fn reopen(&mut self, pager: BoxedPager) -> BoxedPager {
        pager
    }
}

#[test]
fn mem_pager() {
    suite::run(&mut Memory);
}
