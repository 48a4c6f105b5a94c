// Tests of guest/.
