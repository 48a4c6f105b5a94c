// Tests of partitions/.
