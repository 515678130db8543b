/** More have no room for nine virtual servers each in 512 slots. */
export const COURSE_REPLICAS_MAX = 56;
