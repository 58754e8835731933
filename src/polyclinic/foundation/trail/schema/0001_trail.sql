-- Where a trail begins to be counted anew: transaction numbers mean nothing in another cluster.
CREATE TABLE trail_generation (
    trail      text NOT NULL,
    generation integer NOT NULL,
    cluster    text NOT NULL,
    first      bigint NOT NULL, -- the first position of this generation
    PRIMARY KEY (trail, generation)
);
