// Tests of formats/.
