# The commands of this repository, for those who have `just`; each is one line that works without it.

# everything that CI checks
ready:
    .ci/run

# install, build, run every test
test *args:
    npm test -- {{args}}

# save a real database, lose it, bring it back
demo:
    npm run demo

# save and load beside JSON.stringify, msgpackr and a raw write
bench *args:
    npm run bench -- {{args}}

# the addon and the TypeScript layer
build:
    npm run build

# format the Rust code
fmt:
    cargo fmt

# the rules of tests/tidy.rs
tidy:
    CARGO_BUILD_TARGET=$(rustc -vV | sed -n 's/^host: //p') cargo test --test tidy
