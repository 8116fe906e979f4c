/* ipmi_sim module: chassis power in memory; every executed control is appended to a file.
 * Option: the path of that file.
 * build: gcc -shared -fPIC -O2 -o chassis_mod.so chassis_mod.c   (Debian: libopenipmi-dev) */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <OpenIPMI/serv.h>
#include <OpenIPMI/mcserv.h>

static unsigned char power = 1;
static char path[512];

static void note(const char *what, int value)
{
    FILE *f = fopen(path, "a");
    if (f) {
        fprintf(f, "%s %d\n", what, value);
        fclose(f);
    }
}

static int set(lmc_data_t *mc, int op, unsigned char *val, void *cb)
{
    switch (op) {
    case CHASSIS_CONTROL_POWER:
        power = !!val[0];
        note("power", power);
        return 0;
    case CHASSIS_CONTROL_RESET:
        note("reset", 1);
        return power ? 0 : EAGAIN;
    case CHASSIS_CONTROL_GRACEFUL_SHUTDOWN:
        power = 0;
        note("soft_off", 1);
        return 0;
    case CHASSIS_CONTROL_IDENTIFY:
        note("identify", val[0]);
        return 0;
    default:
        note("other", op);
        return 0;
    }
}

static int get(lmc_data_t *mc, int op, unsigned char *val, void *cb)
{
    if (op != CHASSIS_CONTROL_POWER)
        return EINVAL;
    *val = power;
    return 0;
}

int ipmi_sim_module_print_version(sys_data_t *sys, const char *o)
{
    puts("chassis_mod 1");
    return 0;
}

int ipmi_sim_module_init(sys_data_t *sys, const char *o)
{
    snprintf(path, sizeof(path), "%s", o ? o : "");
    ipmi_mc_set_chassis_control_func(sys->ipmb_addrs[0x20], set, get, NULL);
    return 0;
}
